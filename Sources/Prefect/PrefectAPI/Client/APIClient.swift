internal import Concurrency
public import CoreMetrics
internal import FoundationEssentials
public import HTTPTransport
public import JSON
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

        /// The URL for people and files, without its password.
        package var shownURL: String { url.maskingURLPassword }

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
            defer {
                state.configuration = configuration
                state.csrf = nil
                state.csrfIsOff = false
            }
            return state.configuration
        }
        if !before.opensSameSockets(as: configuration) { await sockets.close() }
    }

    let transport: HTTPTransport
    let sockets = OpenSockets()
    /// Whether the API answers. Code that waits for the API observes it.
    package let reachability = APIReachability()
    private let metrics: APIMetrics
    private let sleep: @Sendable (Duration) async throws -> Void
    private let state: Mutex<State>

    private struct State {
        var configuration: Configuration
        var maintenanceUntil: ContinuousClock.Instant?
        var csrf: CSRFToken?
        var csrfIsOff = false
    }

    private let csrfClientID = UUID().uuidString.lowercased()
    private let csrfFetch = SingleFlight<Void>()

    /// The caller that the headers of requests name, for requests of the current task and its child tasks. One client
    /// serves the workers of several pools. The attribution is read again for each request.
    @TaskLocal public static var caller: Caller?

    /// A sender of requests. It is an object because Swift 6.3 miscompiles a task-local value that is a closure: the
    /// optimised program would crash.
    public final class Caller: Sendable {
        let attribution: @Sendable () -> Attribution

        /// Creates a caller whose attribution is read at each request.
        public init(_ attribution: @escaping @Sendable () -> Attribution) { self.attribution = attribution }
    }

    /// The names in the headers that let the server attribute requests.
    public struct Attribution: Sendable, Hashable {
        /// The worker's name.
        public var workerName: String?
        /// The worker's id; only Cloud assigns one.
        public var workerID: String?

        public init(workerName: String? = nil, workerID: String? = nil) {
            self.workerName = workerName
            self.workerID = workerID
        }
    }

    /// Creates a client on a transport. `metrics` counts requests, and `sleep` makes the pauses between attempts.
    public init(
        configuration: Configuration, transport: HTTPTransport, metrics: any MetricsFactory = MetricsSystem.factory,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        state = Mutex(State(configuration: configuration))
        self.transport = transport
        self.metrics = APIMetrics(metrics)
        self.sleep = sleep
    }

    /// The time until which the API requested a pause when it last reported maintenance; `nil` if it never did.
    public var maintenanceUntil: ContinuousClock.Instant? { state.withLock { $0.maintenanceUntil } }

    // MARK: Requests

    /// Sends a request and returns its answer if the status is a success.
    ///
    /// - Throws: ``APIError``, or `CancellationError` when the task is cancelled.
    public func send(_ request: APIRequest, effort: RetryPolicy.Effort = .standard) async throws -> APIAnswer {
        var attempt = 0
        var doubts = Doubts()
        var tokenWasRefused = false
        while true {
            attempt += 1
            let begun = reachability.returns
            let result = try await exchange(request)
            try Task.checkCancellation()
            note(result)
            if case .answer(let head, _) = result, head.requestWasRepeated { doubts.noteLost() }
            let outcome: RetryPolicy.Outcome
            switch result {
            case .answer(let head, let body)
            where (head.isSuccess || head.status == 404) && effort == .persistent && !isReadable(body):
                // The body is a gateway's page. A persistent request has to reach the API itself.
                outcome = .noAnswer
                doubts.noteLost()
            case .answer(let head, let body) where head.isSuccess:
                return APIAnswer(
                    status: head.status, body: body, operation: request.operation,
                    wasRepeated: doubts.mayHaveBeenApplied, mayBeFollowedByItself: doubts.mayBeAppliedYet)
            case .answer(let head, let body) where head.status == 403 && refusesToken(body, sent: request):
                outcome = .csrfTokenRefused(isFirst: !tokenWasRefused)
                tokenWasRefused = true
            case .answer(let head, let body):
                outcome = .status(
                    head.status, retryAfter: retryAfter(head.headers),
                    isMaintenance: head.headers["Prefect-Maintenance"]?.lowercased() == "true")
                // A gateway may have forwarded the request before it answered in the server's place.
                if [408, 500, 502, 503, 504].contains(head.status) {
                    if isOfPrefect(body) { doubts.mayHaveBeenApplied = true } else { doubts.noteLost() }
                }
            case .noAnswer(let error, let wasForToken):
                if error.requestMayHaveBeenSent, !wasForToken { doubts.noteLost() }
                outcome =
                    error.isWorthRepeating ? .noAnswer : .status(0, retryAfter: nil, isMaintenance: false)
            }
            let decision = configuration.retryPolicy.decide(
                after: outcome, attempt: attempt, effort: effort, random: .random(in: 0..<1))
            guard case .retry(let delay, let counts) = decision else {
                throw failure(result, of: request, mayHaveBeenApplied: doubts.mayHaveBeenApplied)
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
        case .answer(let head, let body) where head.isSuccess:
            // A gateway's page does not end an outage. Outside an outage, the client need not parse the answer a second
            // time.
            if !reachability.isAway || isReadable(body) { reachability.answered() }
        case .answer(let head, _) where [408, 429, 502, 503, 504].contains(head.status): reachability.failed(.away)
        case .answer(let head, _) where head.status >= 500: reachability.failed(.unclear)
        case .answer: break
        case .noAnswer(let error, _): if error.isWorthRepeating { reachability.failed(.away) }
        }
    }

    /// Sends a request and reads its answer as JSON.
    public func json(_ request: APIRequest, effort: RetryPolicy.Effort = .standard) async throws -> JSONValue {
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
    private struct Doubts {
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
        case answer(HTTPResponse.Head, body: [UInt8])
        /// `wasForToken` states that the request itself was not begun.
        case noAnswer(TransportError, wasForToken: Bool)
    }

    private func exchange(_ request: APIRequest) async throws -> ExchangeResult {
        var isForToken = request.changesState
        var start = ContinuousClock.now
        do {
            if isForToken { try await ensureCSRFToken() }
            isForToken = false
            start = .now
            let response = try await transport.send(httpRequest(request))
            // Only the text of a refusal matters. A long body must not turn the refusal into another error.
            let body =
                switch (response.head.isSuccess, request.isCutOff) {
                case (true, false): try await response.body.collect(upTo: request.maximumBodyBytes)
                case (true, true): try await response.body.beginning(upTo: request.maximumBodyBytes)
                case (false, _): try await response.body.beginning(upTo: Self.maximumExplanationBytes)
                }
            metrics.finished(request, status: response.status, since: start)
            return .answer(response.head, body: body)
        } catch let error as TransportError {
            if error.kind == .cancelled { throw CancellationError() }
            if !isForToken { metrics.finished(request, status: nil, since: start) }
            return .noAnswer(error, wasForToken: isForToken)
        }
    }

    private func httpRequest(_ request: APIRequest) -> HTTPRequest {
        let attribution = Self.caller?.attribution() ?? Attribution()
        let csrf = state.withLock { $0.csrf }
        var headers = HTTPHeaders()
        headers["User-Agent"] = Self.userAgent
        headers["X-PREFECT-API-VERSION"] = Self.apiVersion
        headers["Accept"] = "*/*"
        if let authorization = configuration.authorization {
            headers["Authorization"] = authorization.reveal()
        }
        if let name = attribution.workerName { headers["X-Prefect-Worker-Name"] = headerText(name) }
        if let id = attribution.workerID { headers["X-Prefect-Worker-Id"] = headerText(id) }
        if request.body != nil { headers["Content-Type"] = "application/json" }
        for (name, value) in configuration.customHeaders where !Self.protectedHeaders.contains(name.lowercased()) {
            headers[name] = value
        }
        if request.changesState, let csrf {
            headers["Prefect-Csrf-Token"] = csrf.token
            headers["Prefect-Csrf-Client"] = csrfClientID
        }
        var http = HTTPRequest(method: request.method, url: configuration.url + request.target, headers: headers)
        http.body = request.body.map { .bytes($0.serializedBytes()) } ?? .none
        let timeout = configuration.requestTimeout
        http.deadlines = Deadlines(connect: timeout, firstByte: timeout, idle: timeout, whole: timeout * 10)
        return http
    }

    /// The maximum number of bytes that the client reads of an answer that is not a success.
    static let maximumExplanationBytes = 65_536

    /// Headers of the protocol that a user's own headers cannot replace.
    public static let protectedHeaders: Set<String> = ["user-agent", "prefect-csrf-token", "prefect-csrf-client"]

    /// The text as the value of a header, without line breaks. People choose the names in it, and a line break would
    /// end the header.
    private func headerText(_ text: String) -> String {
        let clean = text.filter { !$0.isNewline && $0 != "\0" }
        return clean.trimming(while: { $0 == " " || $0 == "\t" })
    }

    /// Whether a 403 refuses the CSRF token. The client then forgets the token, and also that the server needed none:
    /// the server may have been restarted with protection switched on.
    private func refusesToken(_ body: [UInt8], sent: APIRequest) -> Bool {
        guard sent.changesState, configuration.csrfEnabled,
            String(decoding: body.prefix(4096), as: UTF8.self).contains("CSRF token")
        else { return false }
        state.withLock { state in
            state.csrf = nil
            state.csrfIsOff = false
        }
        return true
    }

    /// The pause that the API requests, at most ``RetryPolicy/maximumRetryAfter``.
    private func retryAfter(_ headers: HTTPHeaders) -> Duration? {
        headers["Retry-After"].flatMap { RetryAfter.parse($0, now: Date()) }
            .map { min($0, configuration.retryPolicy.maximumRetryAfter) }
    }

    private func failure(
        _ result: ExchangeResult, of request: APIRequest, mayHaveBeenApplied: Bool
    ) -> APIError {
        switch result {
        case .answer(let head, let body):
            APIError(
                .status(head.status), operation: request.operation,
                detail: APIError.explanation(status: head.status, body: body), retryAfter: retryAfter(head.headers),
                mayHaveBeenApplied: mayHaveBeenApplied, misdirection: Misdirection(status: head.status, body: body))
        case .noAnswer(let error, _):
            APIError(
                .noAnswer(error), operation: request.operation, detail: error.description,
                mayHaveBeenApplied: mayHaveBeenApplied)
        }
    }

    /// Waits in the same way as between attempts.
    public func pause(_ duration: Duration) async throws { try await sleep(duration) }

    // MARK: CSRF

    private struct CSRFToken {
        let token: String
        let expires: Timestamp?
    }

    /// Fetches a token before the first request that changes state, and again when the token has expired. A server
    /// without CSRF protection reports this once, and the client does not ask again.
    private func ensureCSRFToken() async throws {
        guard configuration.csrfEnabled else { return }
        let isNeeded = state.withLock { state in
            if state.csrfIsOff { return false }
            guard let csrf = state.csrf else { return true }
            return csrf.expires.map { $0 <= .now } ?? false
        }
        guard isNeeded else { return }
        try await csrfFetch.run { try await self.fetchCSRFToken() }
    }

    private func fetchCSRFToken() async throws {
        let request = APIRequest(.get, ["csrf-token"], query: [("client", csrfClientID)])
        let start = ContinuousClock.now
        let (head, body) = try await transport.fetch(httpRequest(request), maxBodyBytes: 65_536)
        metrics.finished(request, status: head.status, since: start)
        guard head.status == 200, let json = try? JSONValue(parsing: body), let token = json["token"]?.stringValue
        else {
            // 404: the server has no such route. 422: protection is switched off. Any other failure is temporary: the
            // request is sent without a token, and a refusal leads back here.
            if head.status == 404 || head.status == 422 { state.withLock { $0.csrfIsOff = true } }
            return
        }
        let expires = json["expiration"]?.stringValue.flatMap { Timestamp($0) }
        state.withLock { $0.csrf = CSRFToken(token: token, expires: expires) }
    }
}

extension String {
    /// The text without the characters at both ends that meet a condition.
    func trimming(while condition: (Character) -> Bool) -> String {
        var rest = self[...].drop(while: condition)
        while let last = rest.last, condition(last) { rest.removeLast() }
        return String(rest)
    }
}
