internal import FoundationEssentials
internal import Glibc
internal import Synchronization

/// Runs a check on random cases for a limited time.
///
/// The cases are the same every time. `FUZZ_SEED` changes them; `FUZZ_SECONDS` makes the search longer and, without a
/// seed, random. A failure names the seed and the case. A crash names neither, but a search with a random seed prints
/// the seed first, and other searches repeat the same cases. `FUZZ_CASES` is the number of cases that each search
/// checks, regardless of the time.
public enum Fuzz {
    private static let environment = ProcessInfo.processInfo.environment

    /// How long each search takes, in seconds.
    public static let seconds = environment["FUZZ_SECONDS"].flatMap { Double($0) } ?? 2

    /// The time after which a search counts as hanging, in minutes. A search may have to wait for about twenty others.
    public static let minutes = cases == nil ? Int((seconds * 20 / 60).rounded(.up)) + 9 : 600

    /// The number of cases that each search checks, if the environment sets one.
    private static let cases = environment["FUZZ_CASES"].flatMap { Int($0) }

    private static let isSearching = Mutex(false)

    private static let seed: UInt64 = {
        if let given = environment["FUZZ_SEED"].flatMap({ UInt64($0) }) { return given }
        guard environment["FUZZ_SECONDS"] != nil || cases != nil else { return 20_260_203 }
        let seed = UInt64.random(in: 0..<1_000_000_000)
        // Written at once and without buffers, because a crash would lose their contents.
        let line = Array("fuzzing with FUZZ_SEED=\(seed)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
        return seed
    }()

    /// Runs the check on one case after the other until the time is over or the check throws.
    ///
    /// - Parameters:
    ///   - mostCases: The maximum number of cases, unless `FUZZ_SECONDS` requests more.
    ///   - check: Makes a case from random numbers and checks it; throws on a failure.
    /// - Returns: The number of checked cases.
    /// - Throws: ``FuzzFailure``, or `CancellationError`.
    @discardableResult
    public static func run(
        mostCases: Int = .max, isolation: isolated (any Actor)? = #isolation,
        _ check: (inout FuzzRandom) async throws -> Void
    ) async throws -> Int {
        // Only one search runs at a time, so that a thread stays free for the tests that wait for an event.
        while isSearching.withLock({ isSearching in
            defer { isSearching = true }
            return isSearching
        }) { try await Task.sleep(for: .milliseconds(10)) }
        defer { isSearching.withLock { $0 = false } }
        let end = ContinuousClock.now + .seconds(seconds)
        let mostCases = cases ?? (environment["FUZZ_SECONDS"] == nil ? mostCases : .max)
        var lastPause = ContinuousClock.now
        var count = 0
        while count < mostCases, cases != nil || ContinuousClock.now < end {
            var random = FuzzRandom(seed: seed &+ UInt64(count) &* 0xD134_2543_DE82_EF95)
            do {
                try await check(&random)
            } catch let error as CancellationError {
                throw error
            } catch {
                throw FuzzFailure(seed: seed, number: count, cause: "\(error)")
            }
            count += 1
            if lastPause.duration(to: .now) > .milliseconds(5) {
                // Other tasks need this thread too.
                await Task.yield()
                try Task.checkCancellation()
                lastPause = .now
            }
        }
        return count
    }

    /// Throws unless a condition holds; `what` states the expectation.
    public static func require(_ condition: Bool, _ what: @autoclosure () -> String) throws {
        if !condition { throw Violation(description: what()) }
    }

    private struct Violation: Error, CustomStringConvertible {
        let description: String
    }
}

/// A case for which a check failed, with the data to repeat it.
public struct FuzzFailure: Error, CustomStringConvertible {
    /// The value for `FUZZ_SEED`.
    public let seed: UInt64
    /// The number of the case.
    public let number: Int
    /// The failure.
    public let cause: String

    public var description: String { "\(cause) (case \(number) of FUZZ_SEED=\(seed))" }
}
