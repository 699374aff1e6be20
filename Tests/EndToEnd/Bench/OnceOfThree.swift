/// Something took longer than is promised.
struct TooSlow: Error, CustomStringConvertible {
    let detail: String

    var description: String { "it took too long: \(detail)" }
}

/// Does something that one of three attempts has to be quick enough for: on a busy machine a process may have to wait for
/// its turn.
func onceOfThree(isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Void) async throws {
    for _ in 0..<2 {
        do { return try await body() } catch is TooSlow {}
    }
    try await body()
}
