import FoundationEssentials
import PrefectClient
import Synchronization
import TestSupport

/// Runs `body` with a client of the server that `PREFECT_API_URL` names. The clean-up that `body` adds runs at the end,
/// the last first.
func withRealServer(_ body: (APIClient, CleanUp) async throws -> Void) async throws {
    let server = try PrefectServerClient.fromEnvironment()
    try await withClient(
        of: server.url, configure: { $0.retryPolicy = RetryPolicy(maxRetries: 20) },
        sleep: { try await Task.sleep(for: $0) }
    ) { client, _ in
        let cleanUp = CleanUp()
        do {
            try await body(client, cleanUp)
        } catch {
            await cleanUp.run()
            throw error
        }
        await cleanUp.run()
    }
}

/// Requests that delete what a test has created.
final class CleanUp: Sendable {
    private let requests = Mutex<[@Sendable () async throws -> Void]>([])

    /// Adds a request. A failure of it is no failure of the test, because a test may have deleted the object itself.
    func add(_ request: @escaping @Sendable () async throws -> Void) { requests.withLock { $0.append(request) } }

    fileprivate func run() async {
        for request in requests.withLock({ $0.reversed() }) { try? await request() }
    }
}

/// The error with which the server answers a request that is sent without retries. While the server is too busy to
/// answer it, the request is sent again.
func answeredError(to request: () async throws -> Void) async throws -> APIError? {
    while true {
        let error = await apiError(request)
        guard let error, error.isTransient else { return error }
        try await Task.sleep(for: error.retryAfter ?? .milliseconds(500))
    }
}

/// A name that no other object on the server has.
func uniqueName(_ kind: String) -> String { "swift-client-\(kind)-\(UUID().uuidString.lowercased().prefix(13))" }
