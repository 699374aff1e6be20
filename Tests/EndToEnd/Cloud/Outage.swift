import Foundation
import TestSupport

/// A time in which a cloud does not answer.
enum Outage {
    /// A minute, and less in CI.
    static var length: Duration {
        TestLength.isShort ? .seconds(8) : .seconds(60)
    }

    /// Takes a cloud away from all clients of a proxy for ``length``.
    ///
    /// - Parameters:
    ///   - proxy: The proxy between the clients and the cloud.
    ///   - begin: The work of the test at the beginning of the outage.
    ///   - end: The expectations of the test at its end, with the result of `begin`.
    /// - Returns: The result of `begin`.
    static func take<Result>(
        away proxy: FaultProxy, isolation: isolated (any Actor)? = #isolation, _ begin: () async throws -> Result,
        whileAway end: (Result) async throws -> Void
    ) async throws -> Result {
        try await proxy.setMode(.refuse)
        await proxy.resetConnections()
        let result = try await begin()
        try await Task.sleep(for: length)
        try await end(result)
        try await proxy.setMode(.pass)
        return result
    }
}
