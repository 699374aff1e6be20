import PrefectConcurrency
import Testing

@Suite("Repeated operations")
struct RetryingTests {
    private struct Failure: Error, Equatable { let attempt: Int }

    @Test("an operation is repeated until it succeeds, and each failure counts")
    func success() async throws {
        var (attempts, seen) = (0, [Int]())
        let result = try await retrying {
            attempts += 1
            if attempts < 4 { throw Failure(attempt: attempts) }
            return "done"
        } pause: { (error: Failure, count) in
            #expect(error == Failure(attempt: count))
            seen.append(count)
            return .zero
        }
        #expect(result == "done" && seen == [1, 2, 3])
    }

    @Test("the error that the pause throws ends the operation")
    func giveUp() async {
        var attempts = 0
        await #expect(throws: Failure(attempt: 2)) {
            try await retrying {
                attempts += 1
                throw Failure(attempt: attempts)
            } pause: { (error: Failure, count) in
                if count == 2 { throw error }
                return .zero
            }
        }
        #expect(attempts == 2)
    }

    @Test("an error of another type than the pause's ends the operation")
    func otherError() async {
        var attempts = 0
        await #expect(throws: CancellationError.self) {
            try await retrying {
                attempts += 1
                throw CancellationError()
            } pause: { (_: Failure, _) in
                .zero
            }
        }
        #expect(attempts == 1)
    }

    @Test("a cancelled task does not wait for the next attempt", .timeLimit(.minutes(1)))
    func cancellation() async {
        let task = Task {
            try await retrying {
                throw Failure(attempt: 0)
            } pause: { (_: Failure, _) in
                .seconds(3600)
            }
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}
