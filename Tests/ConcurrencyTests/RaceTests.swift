import PrefectConcurrency
import Synchronization
import TestSupport
import Testing

@Suite("Races")
struct RaceTests {
    private struct Failure: Error, Hashable {
        let name: String
    }

    /// An operation that ends only when it is cancelled.
    private func never<Result>(_ result: Result) async -> Result {
        try? await Task.sleep(for: .seconds(600))
        return result
    }

    @Test("the first result wins, and the other operations are cancelled and awaited")
    func first() async {
        let hasEnded = Gate()
        let winner = await raceOf(
            { "winner" },
            {
                let result = await never("loser")
                hasEnded.open()
                return result
            })
        #expect(winner == "winner" && hasEnded.isOpen)
    }

    @Test("an error wins like a result")
    func error() async {
        await #expect(throws: Failure(name: "lost")) {
            try await raceOf({ await never(1) }, { throw Failure(name: "lost") })
        }
    }

    @Test("an absent value is a result of a race")
    func absent() async {
        let result: Int? = await raceOf({ await never(1) }, { nil })
        #expect(result == nil)
    }

    @Test("the cancellation of a race cancels its operations")
    func cancelled() async {
        await withTaskGroup(of: Int.self) { group in
            group.addTask { await raceOf({ await never(1) }, { await never(2) }) }
            group.cancelAll()
        }
    }

    @Test("an operation without a result does not end the wait for one")
    func ignored() async throws {
        let isOver = Gate()
        let result: String? = try await firstResult(
            of: {
                isOver.open()
                return nil
            },
            {
                await isOver.wait()
                for _ in 1...10 { await Task.yield() }
                return "found"
            },
            {
                try await Task.sleep(for: .seconds(600))
                return nil
            })
        #expect(result == "found")
    }

    @Test("there is no result when no operation has one, and an error ends the wait")
    func withoutResult() async {
        let nothing: Int? = await firstResult(of: { nil }, { nil })
        #expect(nothing == nil)
        await #expect(throws: Failure(name: "lost")) {
            _ = try await firstResult(of: { await never(1) }, { throw Failure(name: "lost") })
        }
    }

    @Test("an operation within its deadline has its own result or error")
    func withinDeadline() async throws {
        let value = try await withDeadline(.seconds(600), for: "the test") { 5 }
        #expect(value == 5)
        await #expect(throws: Failure(name: "own")) {
            try await withDeadline(.seconds(600), for: "the test") { throw Failure(name: "own") }
        }
    }

    @Test("an operation beyond its deadline is cancelled, and the error names it")
    func beyondDeadline() async {
        let error = await #expect(throws: DeadlineExceeded.self) {
            try await withDeadline(.milliseconds(10), for: "the test") { try await Task.sleep(for: .seconds(600)) }
        }
        #expect(error.map { "\($0)" }?.hasPrefix("the test took longer than") == true)
    }
}
