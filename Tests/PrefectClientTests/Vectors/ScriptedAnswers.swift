import PrefectClient
import Synchronization

/// Answers the requests of a client in this process, by a script that can be replaced.
final class ScriptedAnswers: APITransport {
    /// The request has no answer.
    struct NoAnswer: Error {}

    /// The answer to the request with this number, counted from zero.
    typealias Script = @Sendable (_ index: Int) -> APITransportAnswer?

    private struct State {
        var script: Script = { _ in nil }
        var count = 0
    }

    private let state = Mutex(State())

    /// Replaces the script and counts from zero again.
    func play(_ script: @escaping Script) { state.withLock { $0 = State(script: script) } }

    func send(_ request: APITransportRequest) async throws -> APITransportAnswer {
        let (script, index) = state.withLock { state in
            defer { state.count += 1 }
            return (state.script, state.count)
        }
        guard let answer = script(index) else { throw NoAnswer() }
        return answer
    }

    /// A client of the answers, which makes one attempt at each request.
    func client() throws -> APIClient {
        let configuration = APIClient.Configuration(
            url: "http://server/api", csrfEnabled: false, retryPolicy: RetryPolicy(maxRetries: 0, jitterFactor: 0))
        return try APIClient(configuration: configuration, transport: self)
    }
}
