import Synchronization
import TestSupport
import Testing

/// Numbers in the order in which tasks add them.
private final class Record: Sendable {
    private let numbers = Mutex<[Int]>([])
    var all: [Int] { numbers.withLock { $0 } }
    func add(_ number: Int) { numbers.withLock { $0.append(number) } }
}

@Suite("the manual clock")
struct ManualClockTests {
    @Test("the clock wakes only due sleepers, in the order of their deadlines")
    func order() async throws {
        let clock = ManualClock()
        let woken = Record()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, seconds) in [3, 1, 2, 9].enumerated() {
                group.addTask {
                    try await clock.sleep(for: .seconds(seconds))
                    woken.add(seconds)
                }
                try await clock.waitForSleepers(index + 1)
            }
            #expect(clock.sleepers.map(\.offset) == [.seconds(1), .seconds(2), .seconds(3), .seconds(9)])
            for expected in [[1], [1, 2], [1, 2, 3]] {
                #expect(try await clock.advanceToNextSleeper() == .seconds(1))
                try await eventually("the next sleeper wakes") { woken.all == expected }
            }
            clock.advance(by: .seconds(5))
            #expect(clock.sleepers.count == 1)
            clock.advance(by: .seconds(1))
            try await group.waitForAll()
            #expect(woken.all == [1, 2, 3, 9])
            #expect(clock.now.offset == .seconds(9))
        }
    }

    @Test("a sleep until a deadline in the past returns at once")
    func past() async throws {
        let clock = ManualClock()
        clock.advance(by: .seconds(5))
        try await clock.sleep(until: ManualClock.Instant(offset: .seconds(5)))
    }

    @Test("a cancelled sleep ends at once, even if it is cancelled before it begins")
    func cancellation() async throws {
        let clock = ManualClock()
        let sleeping = Task { try await clock.sleep(for: .seconds(1)) }
        try await clock.waitForSleepers(1)
        sleeping.cancel()
        await #expect(throws: CancellationError.self) { try await sleeping.value }
        #expect(clock.sleepers.isEmpty)
        let gate = Gate()
        let early = Task {
            await gate.wait()
            try await clock.sleep(for: .seconds(1))
        }
        early.cancel()
        gate.open()
        await #expect(throws: CancellationError.self) { try await early.value }
    }

    @Test("the error of a failed wait for sleepers names the expected number")
    func inVain() async throws {
        let clock = ManualClock()
        let error = await #expect(throws: WaitTimeout.self) {
            try await clock.waitForSleepers(1, timeout: .milliseconds(10))
        }
        let message = "\(try #require(error))"
        #expect(message.contains("1 sleep on the clock"))
    }
}
