/// An operation took longer than the test allows.
struct TooSlow: Error, CustomStringConvertible {
    let detail: String

    var description: String { "it took too long: \(detail)" }
}

/// Runs `body` up to three times, until an attempt does not throw ``TooSlow``. On a busy machine a process may have to
/// wait for the processor.
func onceOfThree(isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Void) async throws {
    for _ in 0..<2 {
        do { return try await body() } catch is TooSlow {}
    }
    try await body()
}
