package import CoreMetrics
package import HTTPTransport
package import PrefectJSON
internal import PrefectREST
internal import Synchronization

/// A client of one Prefect API, server or Cloud.
///
/// It adds credentials, version, attribution, custom headers and the CSRF token to every request that needs them. It
/// retries requests by ``RetryPolicy``, and converts answers to JSON or an ``APIError``. Any number of tasks can share
/// a client.
public final class APIClient: Sendable {
    /// The version of Prefect that this client reports in labels, events and the `User-Agent`.
    public static let prefectVersion = "3.8.8"
    /// The version of the server's REST API that this client uses.
    public static let apiVersion = "0.8.4"
    /// The `User-Agent` of every request and every WebSocket.
    static let userAgent = "prefect/\(prefectVersion) (API \(apiVersion))"

    /// The configuration of a client.
    public struct Configuration: Sendable {
        /// The API's URL up to and including `/api`, without a trailing slash.
        public var url: String
        /// The value of the `Authorization` header, if there are credentials.
        public var authorization: Secret?
        /// The token that WebSockets send in their first message, if there are credentials.
        public var webSocketToken: Secret?
        /// The user's headers for every request. They replace the client's own headers, except the protected ones.
        public var customHeaders: [(name: String, value: String)]
        /// Whether CSRF tokens are used; never on Cloud.
        public var csrfEnabled: Bool
        /// Whether the API is Prefect Cloud.
        public var isCloud: Bool
        /// The limit for connecting, for the first byte, and for each pause in an answer. The whole exchange may take
        /// ten times as long. This bounds requests whose answers arrive slowly without a long pause.
        public var requestTimeout: Duration
        /// The policy that decides when a request is repeated.
        public var retryPolicy: RetryPolicy
        /// The version of the REST API that requests name.
        public var apiVersion = APIClient.apiVersion

        /// The URL for people and files, without its password.
        package var shownURL: String { url.maskingURLPassword }

        /// A configuration; the defaults are those of a server without credentials.
        public init(
            url: String, authorization: Secret? = nil, webSocketToken: Secret? = nil,
            customHeaders: [(name: String, value: String)] = [], csrfEnabled: Bool = true, isCloud: Bool = false,
            requestTimeout: Duration = .seconds(60), retryPolicy: RetryPolicy = RetryPolicy()
        ) {
            var trimmed = url[...]
            while trimmed.hasSuffix("/") { trimmed = trimmed.dropLast() }
            self.url = String(trimmed)
            self.authorization = authorization
            self.webSocketToken = webSocketToken
            self.customHeaders = customHeaders
            self.csrfEnabled = csrfEnabled && !isCloud
            self.isCloud = isCloud
            self.requestTimeout = requestTimeout
            self.retryPolicy = retryPolicy
        }
    }

    /// The current configuration.
    public var configuration: Configuration { state.withLock { $0.configuration } }

    /// Replaces the configuration. Requests in flight use it from their next attempt. WebSockets that were opened with
    /// other credentials or headers, or to another URL, are closed, so that their owners open them again.
    public func reconfigure(_ configuration: Configuration) async {
        let before = state.withLock { state in
            defer { state.configuration = configuration }
            return state.configuration
        }
        csrf.forget()
        if !before.opensSameSockets(as: configuration) { await sockets.close() }
    }

    let transport: HTTPTransport
    /// The transport of the user for requests. WebSockets always use ``transport``.
    private let ownTransport: (any APITransport)?
    let sockets = OpenSockets()
    /// Whether the API answers. Code that waits for the API observes it.
    package let reachability = APIReachability()
    private let metrics: APIMetrics
    private let sleep: @Sendable (Duration) async throws -> Void
    private let state: Mutex<State>

    private struct State {
        var configuration: Configuration
        var maintenanceUntil: ContinuousClock.Instant?
    }

    private let csrf = CSRFTokens()

    /// The caller that the headers of requests name, for requests of the current task and its child tasks. One client
    /// serves the workers of several pools. The attribution is read again for each request.
    @TaskLocal package static var caller: Caller?

    /// A sender of requests. It is an object because Swift 6.3 miscompiles a task-local value that is a closure: the
    /// optimised program would crash.
    package final class Caller: Sendable {
        let attribution: @Sendable () -> Attribution

        /// Creates a caller whose attribution is read at each request.
        package init(_ attribution: @escaping @Sendable () -> Attribution) { self.attribution = attribution }
    }

    /// The names in the headers that let the server attribute requests.
    package struct Attribution: Sendable, Hashable {
        /// The worker's name.
        package var workerName: String?
        /// The worker's id; only Cloud assigns one.
        package var workerID: String?

        package init(workerName: String? = nil, workerID: String? = nil) {
            self.workerName = workerName
            self.workerID = workerID
        }
    }

    /// Creates a client on a transport. `metrics` counts requests, and `sleep` makes the pauses between attempts.
    package init(
        configuration: Configuration, transport: HTTPTransport, ownTransport: (any APITransport)? = nil,
        metrics: any MetricsFactory = MetricsSystem.factory,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        state = Mutex(State(configuration: configuration))
        self.transport = transport
        self.ownTransport = ownTransport
        self.metrics = APIMetrics(metrics)
        self.sleep = sleep
    }

    /// The time until which the API requested a pause when it last reported maintenance; `nil` if it never did.
    package var maintenanceUntil: ContinuousClock.Instant? { state.withLock { $0.maintenanceUntil } }

    // MARK: Requests

    /// Sends a request and returns its answer if the status is a success.
    ///
    /// - Throws: ``APIError``, or `CancellationError` when the task is cancelled.
    package func send(_ request: APIRequest, effort: RetryPolicy.Effort = .standard) async throws -> APIAnswer {
        var attempt = 0
        var uncertainty = Uncertainty()
        var tokenWasRefused = false
        while true {
            attempt += 1
            let begun = reachability.returns
            let result = try await exchange(request)
            try Task.checkCancellation()
            note(result)
            if case .answer(let answer) = result, answer.head.requestWasRepeated { uncertainty.noteLost() }
            let outcome: RetryPolicy.Outcome
            switch result {
            case .answer(let answer)
            where (answer.head.isSuccess || answer.status == 404) && effort == .persistent && !isReadable(answer.body):
                // The body is a gateway's page. A persistent request has to reach the API itself.
                outcome = .noAnswer
                uncertainty.noteLost()
            case .answer(let answer) where answer.head.isSuccess:
                return APIAnswer(
                    status: answer.status, body: answer.body, operation: request.operation,
                    wasRepeated: uncertainty.mayHaveBeenApplied, mayBeFollowedByItself: uncertainty.mayBeAppliedYet)
            case .answer(let answer) where refusesToken(answer, of: request):
                outcome = .csrfTokenRefused(isFirst: !tokenWasRefused)
                tokenWasRefused = true
            case .answer(let answer):
                outcome = .status(
                    answer.status, retryAfter: retryAfter(answer),
                    isMaintenance: answer.head.headers["Prefect-Maintenance"]?.lowercased() == "true")
                // A gateway may have forwarded the request before it answered in the server's place.
                if [408, 500, 502, 503, 504].contains(answer.status) {
                    if isOfPrefect(answer.body) {
                        uncertainty.mayHaveBeenApplied = true
                    } else {
                        uncertainty.noteLost()
                    }
                }
            case .noAnswer(let error, let wasForToken):
                if error.requestMayHaveBeenSent, !wasForToken { uncertainty.noteLost() }
                outcome = error.isTransient ? .noAnswer : .status(0, retryAfter: nil, isMaintenance: false)
            }
            let decision = configuration.retryPolicy.decide(
                after: outcome, attempt: attempt, effort: effort, random: .random(in: 0..<1))
            guard case .retry(let delay, let counts) = decision else {
                throw failure(result, of: request, mayHaveBeenApplied: uncertainty.mayHaveBeenApplied)
            }
            if !counts {
                attempt -= 1
                state.withLock { $0.maintenanceUntil = .now + delay }
            }
            metrics.retried(request)
            guard delay > .zero else { continue }
            if outcome.asksForPause {
                try await sleep(delay)
            } else {
                try await reachability.pause(
                    delay, since: begun, isPersistent: effort == .persistent, sleep: sleep)
            }
        }
    }

    /// Updates ``reachability`` from the result of an attempt, for everything that waits for the API.
    private func note(_ result: ExchangeResult) {
        switch result {
        case .answer(let answer) where answer.head.isSuccess:
            // A gateway's page does not end an outage. Outside an outage, the client need not parse the answer a second
            // time.
            if !reachability.isUnreachable || isReadable(answer.body) { reachability.answered() }
        case .answer(let answer) where [408, 429, 502, 503, 504].contains(answer.status):
            reachability.failed(.unreachable)
        case .answer(let answer) where answer.status >= 500: reachability.failed(.unclear)
        case .answer: break
        case .noAnswer(let error, _): if error.isTransient { reachability.failed(.unreachable) }
        }
    }

    /// Sends a request and reads its answer as JSON.
    package func json(_ request: APIRequest, effort: RetryPolicy.Effort = .standard) async throws -> JSONValue {
        try await send(request, effort: effort).json()
    }

    private func isReadable(_ body: [UInt8]) -> Bool {
        guard !body.isEmpty else { return true }
        do {
            _ = try JSONValue(parsing: body)
            return true
        } catch {
            return error.isTooLarge
        }
    }

    /// Whether Prefect's own server wrote the refusal, so that it has finished with the request.
    private func isOfPrefect(_ refusal: [UInt8]) -> Bool {
        (try? JSONValue(parsing: refusal))?["exception_message"] != nil
    }

    /// The uncertain effects of earlier attempts at a request.
    private struct Uncertainty {
        /// Whether an earlier attempt may have taken effect.
        var mayHaveBeenApplied = false
        /// Whether an earlier attempt may still take effect.
        var mayBeAppliedYet = false

        /// Notes that an attempt was sent and had no answer from the API itself.
        mutating func noteLost() {
            mayHaveBeenApplied = true
            mayBeAppliedYet = true
        }
    }

    private enum ExchangeResult {
        case answer(RESTAnswer)
        /// `wasForToken` states that the request itself was not begun.
        case noAnswer(TransportError, wasForToken: Bool)
    }

    private func exchange(_ request: APIRequest) async throws -> ExchangeResult {
        var isForToken = request.method.changesState && configuration.csrfEnabled
        var start = ContinuousClock.now
        do {
            if isForToken { try await csrf.renew { try await self.fetchToken() } }
            isForToken = false
            start = .now
            let answer = try await client.exchange(request.limited(to: configuration.requestTimeout))
            metrics.finished(request, status: answer.status, since: start)
            return .answer(answer)
        } catch let failure as RequestFailure {
            guard let error = failure.transportError else { throw failure }
            if !isForToken { metrics.finished(request, status: nil, since: start) }
            return .noAnswer(error, wasForToken: isForToken)
        }
    }

    private func fetchToken() async throws -> RESTAnswer {
        let request = csrf.request
        let start = ContinuousClock.now
        let answer = try await client.exchange(request.limited(to: configuration.requestTimeout))
        metrics.finished(request, status: answer.status, since: start)
        return answer
    }

    /// The client with the current configuration and attribution.
    private var client: RESTClient {
        let configuration = configuration
        var client = RESTClient(
            transport: transport, baseURL: configuration.url,
            headers: [
                "User-Agent": Self.userAgent, "X-PREFECT-API-VERSION": configuration.apiVersion, "Accept": "*/*",
            ])
        client.followsRedirects = true
        if let ownTransport { client.carrier = { try await ownTransport.exchange($0, url: $1) } }
        client.signer = APISigner(
            configuration: configuration, attribution: Self.caller?.attribution() ?? Attribution(), csrf: csrf)
        return client
    }

    /// Headers of the protocol that a user's own headers cannot replace.
    package static let protectedHeaders: Set<String> = ["user-agent", "prefect-csrf-token", "prefect-csrf-client"]

    private func refusesToken(_ answer: RESTAnswer, of request: APIRequest) -> Bool {
        guard request.method.changesState, configuration.csrfEnabled else { return false }
        return csrf.isRefused(in: answer)
    }

    /// The pause that the API requests, at most ``RetryPolicy/maximumRetryAfter``.
    private func retryAfter(_ answer: RESTAnswer) -> Duration? {
        RetryAfter.read(answer.head.headers).map { min($0, configuration.retryPolicy.maximumRetryAfter) }
    }

    private func failure(
        _ result: ExchangeResult, of request: APIRequest, mayHaveBeenApplied: Bool
    ) -> APIError {
        switch result {
        case .answer(let answer):
            APIError(
                .status(answer.status), operation: request.operation,
                detail: APIError.explanation(status: answer.status, body: answer.body),
                retryAfter: retryAfter(answer), mayHaveBeenApplied: mayHaveBeenApplied,
                misdirection: Misdirection(status: answer.status, body: answer.body))
        case .noAnswer(let error, _):
            APIError(
                .noAnswer(error), operation: request.operation, detail: error.description,
                mayHaveBeenApplied: mayHaveBeenApplied)
        }
    }

    /// Waits in the same way as between attempts.
    package func pause(_ duration: Duration) async throws { try await sleep(duration) }
}
