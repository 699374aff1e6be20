import Synchronization
import TestSupport
import Testing

@testable import PrefectAPI

@Suite("Telling things in batches")
struct BatchShipperTests {
    /// An API that takes batches as a test says.
    private final class Receiver: Sendable {
        struct State {
            var answers: [BatchDelivery] = []
            /// The items for whose sake a batch is refused.
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

    @Test("a batch goes out a while after its first item")
    func byTime() async throws {
        let receiver = Receiver()
        let shipper = shipper(receiver)
        // All are there before the work begins, so that none has to wait for the next batch.
        for number in 1...5 { shipper.add(number, bytes: 10) }
        async let work: Void = shipper.run()
        try await eventually("it is delivered") { receiver.taken == [[1, 2, 3, 4, 5]] }
        shipper.add(6, bytes: 10)
        try await eventually("the next one is delivered") { receiver.taken.count == 2 }
        #expect(shipper.backlog == 0)
        shipper.close()
        await work
    }

    @Test("a batch that is large enough does not wait")
    func bySize() async throws {
        let receiver = Receiver()
        let shipper = shipper(receiver, interval: .seconds(600), bytes: 100, items: 3)
        async let work: Void = shipper.run()
        shipper.add(1, bytes: 60)
        shipper.add(2, bytes: 60)
        try await eventually("the first one is delivered") { receiver.taken == [[1]] }
        for number in 3...6 { shipper.add(number, bytes: 1) }
        try await eventually("three make a batch") { receiver.taken.count >= 2 && receiver.taken[1] == [2, 3, 4] }
        shipper.close()
        await work
        #expect(receiver.taken.flatMap(\.self) == Array(1...6))
    }

    @Test("what is not taken for the moment is told later, in order")
    func outage() async throws {
        let receiver = Receiver()
        receiver.state.withLock { $0.answers = Array(repeating: .postponed(after: .milliseconds(5)), count: 5) }
        let shipper = shipper(receiver, items: 4)
        // The number of attempts counts full batches.
        for number in 1...10 { shipper.add(number, bytes: 10) }
        async let work: Void = shipper.run()
        try await eventually("all is delivered") { receiver.taken.flatMap(\.self) == Array(1...10) }
        #expect(receiver.attempts == 8)
        #expect(receiver.notices.isEmpty)
        shipper.close()
        await work
    }

    @Test("a way that opens during an attempt that fails ends the pause after it, whatever pause was asked for")
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
        try await eventually("it is delivered") { receiver.taken == [[1]] }
        shipper.close()
        await work
    }

    @Test("when too much waits the oldest items are dropped, and that is said")
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

    @Test("a single item larger than all limits is told all the same")
    func giant() async throws {
        let receiver = Receiver()
        let shipper = shipper(receiver, bytes: 100, backlog: 500)
        shipper.add(1, bytes: 10_000)
        shipper.close()
        await shipper.run()
        #expect(receiver.taken == [[1]])
    }

    @Test("when too many wait the oldest are dropped, however small they are")
    func boundedInNumber() async throws {
        let receiver = Receiver()
        let shipper = shipper(receiver, backlogItems: 10)
        for number in 1...35 { shipper.add(number, bytes: 0) }
        #expect(shipper.backlog == 10)
        shipper.close()
        await shipper.run()
        #expect(receiver.taken.flatMap(\.self) == Array(26...35))
    }

    @Test("an outage says once that items are dropped, and at its end how many")
    func noticesOfOutage() async throws {
        let receiver = Receiver()
        receiver.state.withLock { $0.answers = Array(repeating: .postponed(after: .milliseconds(2)), count: 20) }
        let shipper = shipper(receiver, items: 5, backlog: 100)
        for number in 1...60 { shipper.add(number, bytes: 10) }
        async let work: Void = shipper.run()
        try await eventually("it is said") { !receiver.notices.isEmpty }
        #expect(receiver.notices.first?.hasPrefix("The oldest numbers are being lost") == true)
        try await eventually("the outage is over") { receiver.taken.count >= 2 }
        shipper.close()
        await work
        #expect(receiver.taken.flatMap(\.self) == Array(51...60))
        #expect(receiver.notices.count == 2)
        #expect(receiver.notices.last?.hasPrefix("50 numbers were lost") == true)
    }

    @Test("what is put back after a failure counts with what came meanwhile")
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

    @Test("of a batch that is refused only the bad items are dropped, and that is said once")
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

    @Test("the search for a bad item survives an outage and what is dropped meanwhile")
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

    @Test("an API that takes nothing of a batch is not asked for each item")
    func refusedAltogether() async throws {
        let receiver = Receiver()
        receiver.state.withLock { $0.bad = Set(1...2000) }
        let shipper = shipper(receiver, bytes: 100_000, items: 2000)
        for number in 1...2001 { shipper.add(number, bytes: 1) }
        shipper.close()
        await shipper.run()
        #expect(receiver.taken == [[2001]])
        #expect(receiver.attempts <= BatchSieve.maximumRefusals + 1)
        #expect(receiver.notices == ["2000 numbers were refused by the API and are lost: not good"])
    }

    @Test("closing delivers what waits without waiting for company")
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

    @Test("closing cuts the pause after a failure short")
    func closingInOutage() async throws {
        let receiver = Receiver()
        receiver.state.withLock { $0.answers = [.postponed(after: .seconds(600))] }
        let shipper = shipper(receiver)
        async let work: Void = shipper.run()
        shipper.add(1, bytes: 10)
        try await eventually("it was tried") { receiver.attempts == 1 }
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
            try? await eventually("it was tried") { receiver.attempts == 1 }
            group.cancelAll()
        }
        #expect(shipper.backlog == 1)
    }

    @Test("items of many tasks all arrive")
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

@Suite("Waking one another")
struct WakeupTests {
    @Test("a signal without a waiter is kept for the next one, and several count as one")
    func kept() async {
        let wakeup = Wakeup()
        wakeup.signal()
        wakeup.signal()
        await wakeup.wait()
        let start = ContinuousClock.now
        await wakeup.wait(atMost: .milliseconds(20))
        #expect(ContinuousClock.now - start >= .milliseconds(20))
    }

    @Test("a signal ends a wait, cancellation too")
    func ends() async throws {
        let wakeup = Wakeup()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await wakeup.wait() }
            group.addTask { wakeup.signal() }
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await wakeup.wait() }
            group.cancelAll()
        }
    }

    @Test("a signal that is not meant does not end a wait")
    func meant() async throws {
        let wakeup = Wakeup()
        let isMeant = Gate()
        let hasEnded = Gate()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                await wakeup.wait(atMost: .seconds(600), unless: { isMeant.isOpen })
                hasEnded.open()
            }
            for _ in 1...5 {
                wakeup.signal()
                for _ in 1...10 { await Task.yield() }
            }
            #expect(!hasEnded.isOpen)
            isMeant.open()
            wakeup.signal()
            try await group.waitForAll()
        }
    }
}
