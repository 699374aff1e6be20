import HTTPTransport
import PrefectClient
import PrefectJSON
import Synchronization
import TestSupport

/// The pauses that a client requested. They take no time, unless a test provides its own `sleep`.
final class Pauses: Sendable {
    private let made = Mutex<[Duration]>([])

    var all: [Duration] { made.withLock { $0 } }
    var seconds: [Double] { all.map(\.inSeconds) }

    fileprivate func add(_ pause: Duration) { made.withLock { $0.append(pause) } }
}

/// Runs `body` with a client of an API, over real sockets.
func withClient<Result: Sendable>(
    of url: String, configure: (inout APIClient.Configuration) -> Void = { _ in },
    sleep: (@Sendable (Duration) async throws -> Void)? = nil, _ body: (APIClient, Pauses) async throws -> Result
) async throws -> Result {
    let transport = try HTTPTransport(TransportConfiguration(proxies: .direct))
    var configuration = APIClient.Configuration(
        url: url, csrfEnabled: false, requestTimeout: .seconds(30), retryPolicy: RetryPolicy(jitterFactor: 0))
    configure(&configuration)
    let pauses = Pauses()
    let client = APIClient(
        configuration: configuration, transport: transport,
        sleep: {
            pauses.add($0)
            try await sleep?($0)
            await Task.yield()
        })
    do {
        let result = try await body(client, pauses)
        await transport.shutdown()
        return result
    } catch {
        await transport.shutdown()
        throw error
    }
}

/// The ``APIError`` that `body` throws; `nil` if it throws nothing or another error.
func apiError(_ body: () async throws -> Void) async -> APIError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? APIError
    }
}

extension APIRequest {
    /// A request that only reads.
    static let read = APIRequest(.get, ["work_pools", "p"])
    /// A request that changes something.
    static let change = APIRequest(.patch, ["work_pools", "p"], body: ["description": "new"])
}
