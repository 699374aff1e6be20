import Synchronization

/// Sends HTTP requests with libcurl on one dedicated thread. Connections are kept open for later requests.
///
/// Every failure is a `TransportError`; a cancelled task gets one of kind `cancelled`. The transport retries nothing
/// itself. Only libcurl repeats a request, when a reused connection was closed before any byte of the response arrived;
/// ``HTTPRequest/isSentOnce`` prevents that.
package final class HTTPTransport: Sendable {
    let configuration: TransportConfiguration
    let loop: EventLoop
    private let lastID = Atomic<UInt64>(0)

    /// Starts the thread. Throws when libcurl cannot be set up, or when the system cannot create a thread.
    package init(_ configuration: TransportConfiguration = TransportConfiguration()) throws(TransportError) {
        self.configuration = configuration
        loop = try EventLoop(configuration)
    }

    /// Sends a request and returns as soon as the response head has arrived, whatever the status. Responses with status
    /// 1xx are skipped, and so are redirects if the request follows them.
    ///
    /// The caller must read the body or release it. Until then, the response holds a connection.
    package func send(_ request: HTTPRequest) async throws(TransportError) -> HTTPResponse {
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
                    // The body is empty. A transfer that ends by itself, unlike a cancelled one, leaves its connection
                    // reusable.
                    _ = try await handle.nextPortion()
                }
                request = next
                target = nextTarget
                hops += 1
            }
        }
    }

    /// Returns a new identifier for a transfer or a connection in the loop.
    func newID() -> UInt64 {
        lastID.add(1, ordering: .relaxed).newValue
    }

    /// Sends a request and reads the whole body. Throws `tooLarge` when the body exceeds `maxBodyBytes`.
    package func fetch(
        _ request: HTTPRequest, maxBodyBytes: Int
    ) async throws(TransportError) -> (head: HTTPResponse.Head, body: [UInt8]) {
        let response = try await send(request)
        return (response.head, try await response.body.collect(upTo: maxBodyBytes))
    }

    /// Fails everything in flight with an error of kind `shutDown`, closes every connection and ends the thread.
    /// Returns when the thread has ended; later requests fail with the same kind. May be called more than once.
    ///
    /// A transport that is released without this call shuts down by itself, after its last response is released too.
    package func shutdown() async {
        await loop.stop()
    }
}
