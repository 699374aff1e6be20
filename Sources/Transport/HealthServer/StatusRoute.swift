internal import HTTPTypes
internal import PrefectJSON

/// The result of a probe.
package struct ProbeAnswer: Sendable, Hashable {
    /// Whether the probe succeeded.
    package var isGood: Bool
    /// The problem or the current state for human readers: one short sentence without secrets.
    package var detail: String?

    package init(isGood: Bool, detail: String? = nil) {
        self.isGood = isGood
        self.detail = detail
    }

    /// A successful probe.
    package static let good = ProbeAnswer(isGood: true)

    /// A failed probe with its reason.
    package static func bad(_ detail: String) -> ProbeAnswer { ProbeAnswer(isGood: false, detail: detail) }
}

/// An answer to a request: a status code and a text.
package struct RouteAnswer: Sendable, Hashable {
    /// The HTTP status code.
    package var status: Int
    /// The media type of `body`.
    package var contentType: String
    package var body: String
    /// Further header fields.
    package var headers: [String: String] = [:]

    package init(status: Int, contentType: String, body: String) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// `{"message": …}`, the body of all probes.
    package static func message(_ message: String, status: Int) -> RouteAnswer {
        let body = JSONValue([(key: "message", value: message)]).serialized(.compact)
        return RouteAnswer(status: status, contentType: "application/json", body: body)
    }
}

/// A path that the health server answers, either for GET and HEAD or for POST.
package struct StatusRoute: Sendable {
    /// The path, with its leading slash and without a query.
    package let path: String
    /// Produces the current answer for the query of a request, which may be empty. It should arrive within a second; a
    /// client waits ten seconds at most.
    let answer: @Sendable (_ query: String) async -> RouteAnswer
    private let isForPost: Bool

    /// A route for GET and HEAD.
    package init(path: String, answer: @escaping @Sendable () async -> RouteAnswer) {
        self.path = path
        self.answer = { _ in await answer() }
        isForPost = false
    }

    /// A route for POST. `action` receives the query of a request, as it was sent.
    package init(post path: String, action: @escaping @Sendable (_ query: String) async -> RouteAnswer) {
        self.path = path
        answer = action
        isForPost = true
    }

    func takes(_ method: HTTPRequest.Method) -> Bool {
        isForPost ? method == .post : method == .get || method == .head
    }

    /// `/health`, with the bodies and codes of the Python worker's health server. A detail of a good answer replaces
    /// `OK`.
    static func health(_ probe: @escaping @Sendable () async -> ProbeAnswer) -> StatusRoute {
        StatusRoute(path: "/health") {
            let answer = await probe()
            return answer.isGood
                ? .message(answer.detail ?? "OK", status: 200)
                : .message("Worker may be unresponsive at this time", status: 503)
        }
    }

    /// `/ready`, with the reason as the message of a refusal.
    static func ready(_ probe: @escaping @Sendable () async -> ProbeAnswer) -> StatusRoute {
        StatusRoute(path: "/ready") {
            let answer = await probe()
            return answer.isGood ? .message("OK", status: 200) : .message(answer.detail ?? "Not ready", status: 503)
        }
    }
}
