import PrefectConcurrency
import Synchronization
import TestSupport
import Testing

@Suite("Sharing one attempt")
struct SingleFlightTests {
    private final class Counter: Sendable {
        private let count = Mutex(0)
        var value: Int { count.withLock { $0 } }

        func next() -> Int {
            count.withLock { count in
                count += 1
                return count
            }
        }
    }

    @Test("concurrent callers share the result")
    func shared() async throws {
        let flight = SingleFlight<Int>()
        let gate = Gate()
        let attempts = Counter()
        let results = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 1...50 {
                group.addTask {
                    try await flight.run {
                        _ = attempts.next()
                        await gate.wait()
                        return 7
                    }
                }
            }
            try await eventually("an attempt is under way") { attempts.value == 1 }
            for _ in 1...20 { await Task.yield() }
            gate.open()
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results == Array(repeating: 7, count: 50))
        // A caller that begins after the end of the first attempt makes its own attempt, with an open gate.
        #expect(attempts.value < 50)
    }

    @Test("when the first caller is cancelled, another caller makes its own attempt")
    func firstFails() async throws {
        let flight = SingleFlight<Int>()
        let isUnderWay = Gate()
        let attempts = Counter()
        let attempt: @Sendable () async throws -> Int = {
            let number = attempts.next()
            guard number == 1 else { return number }
            isUnderWay.open()
            try await Task.sleep(for: .seconds(600))
            return number
        }
        try await withThrowingTaskGroup(of: Int.self) { second in
            let error = await withTaskGroup(of: (any Error)?.self) { first in
                first.addTask {
                    do {
                        _ = try await flight.run(attempt)
                        return nil
                    } catch { return error }
                }
                await isUnderWay.wait()
                second.addTask { try await flight.run(attempt) }
                for _ in 1...20 { await Task.yield() }
                first.cancelAll()
                return await first.next() ?? nil
            }
            #expect(error is CancellationError)
            let value = try await second.next()
            #expect(value == 2)
        }
    }

    @Test("a cancelled caller does not wait for another caller's attempt")
    func waiterCancelled() async throws {
        let flight = SingleFlight<Int>()
        let gate = Gate()
        let isUnderWay = Gate()
        async let first = flight.run {
            isUnderWay.open()
            await gate.wait()
            return 1
        }
        await isUnderWay.wait()
        let error = await withTaskGroup(of: (any Error)?.self) { group in
            group.addTask {
                do {
                    _ = try await flight.run { 2 }
                    return nil
                } catch { return error }
            }
            group.cancelAll()
            return await group.next() ?? nil
        }
        #expect(error is CancellationError)
        gate.open()
        let value = try await first
        #expect(value == 1)
    }

    @Test("a caller that needs a new value waits for an attempt that begins after its call")
    func anew() async throws {
        let flight = SingleFlight<Int>()
        let gate = Gate()
        let attempts = Counter()
        let attempt: @Sendable () async throws -> Int = {
            let number = attempts.next()
            if number == 1 { await gate.wait() }
            return number
        }
        let results = try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask { try await flight.run(attempt) }
            try await eventually("the first attempt is under way") { attempts.value == 1 }
            for _ in 1...5 { group.addTask { try await flight.runAnew(attempt) } }
            for _ in 1...20 { await Task.yield() }
            gate.open()
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.count { $0 == 1 } == 1)
    }

    @Test("callers share attempts only for the same key")
    func keyed() async throws {
        let flights = KeyedSingleFlight<String, String>()
        let gate = Gate()
        let attempts = Counter()
        let results = try await withThrowingTaskGroup(of: String.self) { group in
            for key in ["a", "a", "a", "b"] {
                group.addTask {
                    try await flights.run(key) {
                        _ = attempts.next()
                        await gate.wait()
                        return key
                    }
                }
            }
            try await eventually("both keys have an attempt") { attempts.value == 2 }
            for _ in 1...20 { await Task.yield() }
            gate.open()
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.sorted() == ["a", "a", "a", "b"])
    }
}
