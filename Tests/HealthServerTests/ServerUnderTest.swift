import Logging
import TestSupport

@testable import HealthServer

extension HealthServer.Limits {
    /// Limits that no test reaches, apart from the given ones. So no other limit can end a connection first.
    static func wide(
        idleTime: Duration = .seconds(600), requestTime: Duration = .seconds(600), connections: Int = 128
    ) -> Self {
        Self(idleTime: idleTime, requestTime: requestTime, connections: connections)
    }
}

/// Runs a server on a free port during `body`, then cancels it.
///
/// - Returns: The time from the cancellation until the server ended.
@discardableResult
func withServer(
    host: String = "127.0.0.1", liveness: ProbeAnswer = .good, readiness: ProbeAnswer = .good,
    routes: [StatusRoute] = [], limits: HealthServer.Limits = .wide(), logger: Logger = CapturedLog().logger,
    _ body: @escaping @Sendable (Int) async throws -> Void
) async throws -> Duration {
    let server = HealthServer(
        host: host, port: 0, routes: [.health { liveness }, .ready { readiness }] + routes, logger: logger,
        limits: limits)
    let (addresses, continuation) = AsyncStream.makeStream(of: ListeningAddress.self)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            defer { continuation.finish() }
            try await server.run { continuation.yield($0) }
        }
        for await address in addresses {
            try await body(address.port ?? 0)
            break
        }
        let start = ContinuousClock.now
        group.cancelAll()
        try await group.waitForAll()
        return ContinuousClock.now - start
    }
}
