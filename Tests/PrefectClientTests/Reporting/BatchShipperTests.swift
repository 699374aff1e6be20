import Synchronization
import TestSupport
import Testing

@testable import PrefectClient

@Suite("Delivery in batches")
struct BatchShipperTests {
    /// An API that answers batches as a test specifies.
    private final class Receiver: Sendable {
        struct State {
            var answers: [BatchDelivery] = []
            /// The items that cause a batch to be refused.
            var bad: Set<Int> = []
            var taken: [[Int]] = []
            var attempts = 0
        }

        let state = Mutex(State())

        func deliver(_ batch: [Int]) -> BatchDelivery {
            state.withLock { state in
                state.attempts += 1
                var answer = state.answers.isEmpty ? BatchDelivery.delivered : state.answers.removeFirst()
                if case .delivered = answer, !state.bad.isDisjoint(with: batch) {
                    answer = .refused(reason: "not good")
                }
                if case .delivered = answer { state.taken.append(batch) }
                return answer
            }
        }

        var taken: [[Int]] { state.withLock { $0.taken } }
        var attempts: Int { state.withLock { $0.attempts } }
        let log = CapturedLog()
        var notices: [String] { log.messages() }
    }

    private func shipper(
        _ receiver: Receiver, interval: Duration = .milliseconds(30), bytes: Int = 1000, items: Int = 100,
        backlog: Int = 100_000, backlogItems: Int = 10_000
    ) -> BatchShipper<Int> {
        BatchShipper(
            name: "numbers",
            limits: .init(
                interval: interval, batchBytes: bytes, batchItems: items, backlogBytes: backlog,
                backlogItems: backlogItems),
            logger: receiver.log.logger,
            deliver: { receiver.deliver($0) })
    }

    @Test("a batch is delivered after an interval that begins with its first item")
    func byTime() async throws {
        let receiver = Receiver()
        let shipper = shipper(receiver)
        // All items are added before the shipper runs, so that they form one batch.
        for number in 1...5 { shipper.add(number, bytes: 10) }
        async let work: Void = shipper.run()
        try await eventually("the batch is delivered") { receiver.taken == [[1, 2, 3, 4, 5]] }
        shipper.add(6, bytes: 10)
        try await eventually("the next batch is delivered") { receiver.taken.count == 2 }
        #expect(shipper.backlog == 0)
        shipper.close()
        await work
    }

    @Test("a batch that is large enough is delivered without waiting")
    func bySize() async throws {
        let receiver = Receiver()
        let shipper = shipper(receiver, interval: .seconds(600), bytes: 100, items: 3)
        async let work: Void = shipper.run()
        shipper.add(1, bytes: 60)
        shipper.add(2, bytes: 60)
        try await eventually("the first batch is delivered") { receiver.taken == [[1]] }
        for number in 3...6 { shipper.add(number, bytes: 1) }
        try await eventually("three are a batch") { receiver.taken.count >= 2 && receiver.taken[1] == [2, 3, 4] }
        shipper.close()
        await work
        #expect(receiver.taken.flatMap(\.self) == Array(1...6))
    }

    @Test("postponed items are delivered later, in order")
    func outage() async throws {
        let receiver = Receiver()
        receiver.state.withLock { $0.answers = Array(repeating: .postponed(after: .milliseconds(5)), count: 5) }
        let shipper = shipper(receiver, items: 4)
        // All items are added first, because the number of attempts depends on full batches.
        for number in 1...10 { shipper.add(number, bytes: 10) }
        async let work: Void = shipper.run()
        try await eventually("all items are delivered") { receiver.taken.flatMap(\.self) == Array(1...10) }
        #expect(receiver.attempts == 8)
        #expect(receiver.notices.isEmpty)
        shipper.close()
        await work
    }

    @Test("an immediate route that opens during a failed attempt ends even a requested pause")
    func opensMeanwhile() async throws {
        let receiver = Receiver()
        receiver.state.withLock { $0.answers = [.postponed(after: .seconds(600))] }
        let isOpen = Mutex(false)
        let shipper = BatchShipper<Int>(
            name: "numbers",
            limits: .init(
                interval: .milliseconds(1), batchBytes: 100, batchItems: 10, backlogBytes: 1000, backlogItems: 10),
            isImmediate: { isOpen.withLock { $0 } }, logger: receiver.log.logger,
            deliver: { batch in
                defer { isOpen.withLock { $0 = true } }
                return receiver.deliver(batch)
            })
        shipper.add(1, bytes: 10)
        async let work: Void = shipper.run()
        try await eventually("the item is delivered") { receiver.taken == [[1]] }
        shipper.close()
        await work
    }

    @Test("a backlog with too many bytes drops the oldest items, and the loss is logged")
    func bounded() async throws {
        let receiver = Receiver()
        let shipper = shipper(receiver, bytes: 100, backlog: 500)
        for number in 1...100 { shipper.add(number, bytes: 50) }
        #expect(shipper.backlog == 10)
        shipper.close()
        await shipper.run()
        #expect(receiver.taken.flatMap(\.self) == Array(91...100))
        #expect(receiver.notices.count == 1)
        #expect(receiver.notices.first?.hasPrefix("90 numbers were lost") == true)
    }

    @Test("a single item larger than all limits is delivered")
    func giant() async throws {
        let receiver = Receiver()
        let shipper = shipper(receiver, bytes: 100, backlog: 500)
        shipper.add(1, bytes: 10_000)
        shipper.close()
        await shipper.run()
        #expect(receiver.taken == [[1]])
    }

    @Test("a backlog with too many items drops the oldest items, even small ones")
    func boundedInNumber() async throws {
        let receiver = Receiver()
        let shipper = shipper(receiver, backlogItems: 10)
        for number in 1...35 { shipper.add(number, bytes: 0) }
        #expect(shipper.backlog == 10)
        shipper.close()
        await shipper.run()
        #expect(receiver.taken.flatMap(\.self) == Array(26...35))
    }

    @Test("dropped items are logged once in an outage, and their number at its end")
    func noticesOfOutage() async throws {
        let receiver = Receiver()
        receiver.state.withLock { $0.answers = Array(repeating: .postponed(after: .milliseconds(2)), count: 20) }
        let shipper = shipper(receiver, items: 5, backlog: 100)
        for number in 1...60 { shipper.add(number, bytes: 10) }
        async let work: Void = shipper.run()
        try await eventually("the loss is logged") { !receiver.notices.isEmpty }
        #expect(receiver.notices.first?.hasPrefix("The oldest numbers are being lost") == true)
        try await eventually("the outage is over") { receiver.taken.count >= 2 }
        shipper.close()
        await work
        #expect(receiver.taken.flatMap(\.self) == Array(51...60))
        #expect(receiver.notices.count == 2)
        #expect(receiver.notices.last?.hasPrefix("50 numbers were lost") == true)
    }

    @Test("a batch that returns to the backlog after a failure counts with newer items")
    func boundedWithBatchOnItsWay() async throws {
        let receiver = Receiver()
        let shipper = Mutex<BatchShipper<Int>?>(nil)
        let most = Mutex(0)
        let subject = BatchShipper<Int>(
            name: "numbers",
            limits: .init(
                interval: .zero, batchBytes: 1000, batchItems: 5, backlogBytes: 1000, backlogItems: 8),
            logger: CapturedLog().logger,
            deliver: { batch in
                guard receiver.attempts < 6 else { return receiver.deliver(batch) }
                for number in 0..<4 { shipper.withLock { $0?.add(100 * receiver.attempts + number, bytes: 1) } }
                most.withLock { $0 = max($0, shipper.withLock { $0?.backlog } ?? 0) }
                _ = receiver.deliver([])
                return .postponed(after: .milliseconds(1))
            })
        shipper.withLock { $0 = subject }
        for number in 1...8 { subject.add(number, bytes: 1) }
        subject.close()
        await subject.run()
        #expect(most.withLock { $0 } <= 8)
        #expect(receiver.taken.flatMap(\.self) == Array(400...403) + Array(500...503))
        shipper.withLock { $0 = nil }
    }

    @Test("only the bad items of a refused batch are dropped, and the loss is logged once")
    func refused() async throws {
        let receiver = Receiver()
        receiver.state.withLock { $0.bad = [3, 40, 41, 100] }
        let shipper = shipper(receiver)
        for number in 1...150 { shipper.add(number, bytes: 1) }
        shipper.close()
        await shipper.run()
        let good = Set(1...150).subtracting([3, 40, 41, 100]).sorted()
        #expect(receiver.taken.flatMap(\.self) == good)
        #expect(receiver.notices == ["4 numbers were refused by the API and are lost: not good"])
        #expect(receiver.attempts < 80)
    }

    @Test("the search for a bad item survives an outage")
    func refusedInOutage() async throws {
        let receiver = Receiver()
        receiver.state.withLock { state in
            state.bad = [7]
            state.answers = [.delivered, .delivered, .postponed(after: .zero), .postponed(after: .zero)]
        }
        let shipper = shipper(receiver, items: 8, backlogItems: 8)
        for number in 1...8 { shipper.add(number, bytes: 1) }
        shipper.close()
        await shipper.run()
        #expect(receiver.taken.flatMap(\.self) == [1, 2, 3, 4, 5, 6, 8])
        #expect(receiver.notices.count == 1)
    }

    @Test("a batch of bad items is refused without a request for each item")
    func refusedAltogether() async throws {
        let receiver = Receiver()
        receiver.state.withLock { $0.bad = Set(1...2000) }
        let shipper = shipper(receiver, bytes: 100_000, items: 2000)
        for number in 1...2001 { shipper.add(number, bytes: 1) }
        shipper.close()
        await shipper.run()
        #expect(receiver.taken == [[2001]])
        #expect(receiver.attempts <= BatchBisector.maximumRefusals + 1)
        #expect(receiver.notices == ["2000 numbers were refused by the API and are lost: not good"])
    }

    @Test("closing delivers waiting items without waiting for further items")
    func closing() async throws {
        let receiver = Receiver()
        let shipper = shipper(receiver, interval: .seconds(600))
        async let work: Void = shipper.run()
        shipper.add(1, bytes: 10)
        for _ in 1...20 { await Task.yield() }
        shipper.close()
        await work
        #expect(receiver.taken == [[1]])
    }

    @Test("closing ends the pause after a failure")
    func closingInOutage() async throws {
        let receiver = Receiver()
        receiver.state.withLock { $0.answers = [.postponed(after: .seconds(600))] }
        let shipper = shipper(receiver)
        async let work: Void = shipper.run()
        shipper.add(1, bytes: 10)
        try await eventually("a delivery was attempted") { receiver.attempts == 1 }
        shipper.close()
        await work
        #expect(receiver.taken == [[1]])
    }

    @Test("a cancelled shipper stops at once")
    func cancelled() async throws {
        let receiver = Receiver()
        receiver.state.withLock { $0.answers = [.postponed(after: .seconds(600))] }
        let shipper = shipper(receiver)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await shipper.run() }
            shipper.add(1, bytes: 10)
            try? await eventually("a delivery was attempted") { receiver.attempts == 1 }
            group.cancelAll()
        }
        #expect(shipper.backlog == 1)
    }

    @Test("all items that many tasks add arrive")
    func concurrent() async throws {
        let receiver = Receiver()
        let shipper = shipper(receiver, interval: .milliseconds(1), items: 7)
        async let work: Void = shipper.run()
        await withTaskGroup(of: Void.self) { group in
            for base in 0..<8 {
                group.addTask {
                    for number in 0..<200 { shipper.add(base * 200 + number, bytes: 1) }
                }
            }
        }
        shipper.close()
        await work
        #expect(receiver.taken.flatMap(\.self).sorted() == Array(0..<1600))
    }
}
