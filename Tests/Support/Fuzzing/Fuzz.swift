internal import FoundationEssentials
internal import Glibc
internal import Synchronization

/// Runs a check on random cases for a while.
///
/// The cases are the same every time: `FUZZ_SEED` changes them, `FUZZ_SECONDS` makes the search longer and, without a
/// seed, random. What fails names the seed and the case. A crash names neither, but a search with a random seed prints
/// it first, and the others come again as they are. `FUZZ_CASES` is a number of cases that each search checks, however
/// long that takes.
public enum Fuzz {
    private static let environment = ProcessInfo.processInfo.environment

    /// How long each search takes, in seconds.
    public static let seconds = environment["FUZZ_SECONDS"].flatMap { Double($0) } ?? 2

    /// How long a search may take until it counts as hanging, in minutes: it may have to wait for some twenty others.
    public static let minutes = cases == nil ? Int((seconds * 20 / 60).rounded(.up)) + 9 : 600

    /// How many cases each search checks, where that is asked for.
    private static let cases = environment["FUZZ_CASES"].flatMap { Int($0) }

    private static let isSearching = Mutex(false)

    private static let seed: UInt64 = {
        if let given = environment["FUZZ_SEED"].flatMap({ UInt64($0) }) { return given }
        guard environment["FUZZ_SECONDS"] != nil || cases != nil else { return 20_260_203 }
        let seed = UInt64.random(in: 0..<1_000_000_000)
        // At once and past all buffers, which a crash would take with it.
        let line = Array("fuzzing with FUZZ_SEED=\(seed)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
        return seed
    }()

    /// Runs the check on one case after the other until the time is over, or until it throws.
    ///
    /// - Parameters:
    ///   - mostCases: How many cases are enough, unless `FUZZ_SECONDS` asks for more.
    ///   - check: Makes a case of random numbers and checks it; it throws when something is wrong.
    /// - Returns: How many cases were checked.
    /// - Throws: ``FuzzFailure``, or `CancellationError`.
    @discardableResult
    public static func run(
        mostCases: Int = .max, isolation: isolated (any Actor)? = #isolation,
        _ check: (inout FuzzRandom) async throws -> Void
    ) async throws -> Int {
        // One at a time, so that the searches together leave a thread to the tests that wait for something.
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
                // Others want this thread too.
                await Task.yield()
                try Task.checkCancellation()
                lastPause = .now
            }
        }
        return count
    }

    /// Throws unless a condition holds; `what` says what should be.
    public static func require(_ condition: Bool, _ what: @autoclosure () -> String) throws {
        if !condition { throw Violation(description: what()) }
    }

    private struct Violation: Error, CustomStringConvertible {
        let description: String
    }
}

/// A case for which a check failed, and how to get it again.
public struct FuzzFailure: Error, CustomStringConvertible {
    /// What `FUZZ_SEED` must be.
    public let seed: UInt64
    /// The number of the case.
    public let number: Int
    /// What was wrong.
    public let cause: String

    public var description: String { "\(cause) (case \(number) of FUZZ_SEED=\(seed))" }
}
