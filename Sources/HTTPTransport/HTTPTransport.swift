import Synchronization

/// Sends HTTP requests over libcurl, on one thread of its own, with connections kept for the next request.
///
/// Everything throws `TransportError`; a cancelled task gets one of kind `cancelled`. Nothing is retried but what
/// libcurl repeats by itself: a request whose kept connection turned out to be closed before a byte came back.
public final class HTTPTransport: Sendable {
    let configuration: TransportConfiguration
    let loop: EventLoop
    private let lastID = Atomic<UInt64>(0)

    /// Starts the thread. Throws when the system has none left.
    public init(_ configuration: TransportConfiguration = TransportConfiguration()) throws(TransportError) {
        self.configuration = configuration
        loop = try EventLoop(configuration)
    }

    /// Sends a request and returns as soon as the head of its answer is there, whatever the status. 1xx answers and,
    /// where they are followed, redirects are passed over.
    ///
    /// The answer's body must be read or let go: until then it holds a connection.
    public func send(_ request: HTTPRequest) async throws(TransportError) -> HTTPResponse {
        guard let url = ParsedURL(request.url) else {
            throw TransportError(
                kind: .invalidRequest, operation: "HTTP request", cause: "the URL is not an absolute HTTP URL",
                requestMayHaveBeenSent: false)
        }
        let wholeDeadline = request.deadlines.whole.map { ContinuousClock.now.advanced(by: $0) }
        var request = request
        var target = url
        var hops = 0
        while true {
            let plan = try TransferPlan(
                request, url: target, configuration: configuration, wholeDeadline: wholeDeadline)
            let handle = TransferHandle(
                id: newID(), channel: ResponseChannel(operation: plan.operation),
                loop: loop)
            let head = try await handle.start(plan)
            switch Redirect.next(after: head, to: request, at: target, hops: hops) {
            case .none:
                return HTTPResponse(head: head, body: HTTPBody(handle))
            case .refused(let cause):
                throw handle.end(.protocolViolation, cause)
            case .follow(let next, let nextTarget):
                if head.headers["Content-Length"] == "0" {
                    // Nothing more will come, and a transfer that ended by itself leaves its connection usable.
                    _ = try await handle.nextPortion()
                }
                request = next
                target = nextTarget
                hops += 1
            }
        }
    }

    /// What the loop knows a transfer or a WebSocket by.
    func newID() -> UInt64 {
        lastID.add(1, ordering: .relaxed).newValue
    }

    /// Sends a request and reads the whole body, which fails with `tooLarge` beyond `maxBodyBytes`.
    public func fetch(
        _ request: HTTPRequest, maxBodyBytes: Int
    ) async throws(TransportError) -> (head: HTTPResponse.Head, body: [UInt8]) {
        let response = try await send(request)
        return (response.head, try await response.body.collect(upTo: maxBodyBytes))
    }

    /// Fails what is in flight with an error of kind `shutDown`, closes every connection and ends the thread; returns
    /// when that is done. Later requests fail in the same way. May be called more than once. A transport that is let
    /// go without it does the same by itself, once the last of its answers is let go too.
    public func shutdown() async {
        await loop.stop()
    }
}
