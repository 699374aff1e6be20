internal import HTTPTypes
internal import HummingbirdCore
public import Logging
internal import NIOCore
internal import NIOHTTPTypes
internal import NIOPosix
internal import Synchronization

/// The HTTP server for probes: `/health` (liveness), `/ready` (readiness) and the routes it is given.
///
/// `GET /health` answers as the Python worker's does, so that probes need no change: 200 `{"message":"OK"}`, or 503
/// `{"message":"Worker may be unresponsive at this time"}`. `GET /ready` answers 200 `{"message":"OK"}`, or 503 with
/// the reason as the message. HEAD answers the same without the body, everything else is 404. A transfer coding other
/// than `chunked` is 501.
/// A slow, silent or greedy client costs at most its own connection.
public struct HealthServer: Sendable {
    private let host: String
    private let port: Int
    private let routes: [String: StatusRoute]
    private let logger: Logger
    private let limits: Limits

    /// What one client, and all of them, may hold.
    struct Limits: Sendable {
        /// How long a connection may be silent, before its first request and between two.
        var idleTime: Duration = .seconds(30)
        /// How long a request may take, from its first line to the last byte of the answer.
        var requestTime: Duration = .seconds(10)
        /// How many connections may be open.
        var connections = 128
    }

    /// - Parameters:
    ///   - host: Where to listen, a name or an address: `PREFECT_WORKER_WEBSERVER_HOST`. `::` listens for IPv4, too.
    ///   - port: The port: `PREFECT_WORKER_WEBSERVER_PORT`; 0 lets the system choose.
    ///   - liveness: Whether the worker's loops are alive. Like every route's answer it should come within a second.
    ///   - readiness: Whether the worker can take flow runs, and why not.
    ///   - routes: Further paths. One of the same path as an earlier one, or as a probe, takes its place.
    ///   - logger: For the server's rare troubles.
    public init(
        host: String, port: Int,
        liveness: @escaping @Sendable () async -> ProbeAnswer, readiness: @escaping @Sendable () async -> ProbeAnswer,
        routes: [StatusRoute] = [], logger: Logger
    ) {
        self.init(
            host: host, port: port, routes: [.health(liveness), .ready(readiness)] + routes, logger: logger,
            limits: Limits())
    }

    /// A server that has these routes alone, and no probes.
    public init(host: String, port: Int, routes: [StatusRoute], logger: Logger) {
        self.init(host: host, port: port, routes: routes, logger: logger, limits: Limits())
    }

    init(host: String, port: Int, routes: [StatusRoute], logger: Logger, limits: Limits) {
        // Brackets belong to URLs, yet people write them in settings.
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]") && host.utf8.count > 2
        self.host = isBracketed ? String(host.dropFirst().dropLast()) : host
        self.port = port
        self.routes = Dictionary(routes.map { ($0.path, $0) }) { $1 }
        self.logger = logger
        self.limits = limits
    }

    /// Listens and answers until the calling task is cancelled, then closes every connection and returns.
    ///
    /// - Parameter onListening: Called once, as soon as clients can connect; what must not start without the port
    ///   starts after it.
    /// - Throws: ``HealthServerError`` when the server cannot listen, before `onListening`; nothing afterwards.
    public func run(
        onListening: @escaping @Sendable (ListeningAddress) async -> Void = { _ in }
    ) async throws {
        guard (0...65535).contains(port) else {
            throw HealthServerError(host: host, port: port, cause: .invalidPort)
        }
        let connections = OpenConnections(limit: limits.connections)
        // Detached, for a graceful shutdown of a service group around us would end Hummingbird's server, but probes go
        // on while the worker drains. Cancellation is passed on by hand.
        let serving = Task.detached { try await serve(connections, onListening: onListening) }
        try await withTaskCancellationHandler {
            try await serving.value
        } onCancel: {
            serving.cancel()
            connections.shutDown()
        }
    }

    private func serve(
        _ connections: OpenConnections, onListening: @escaping @Sendable (ListeningAddress) async -> Void
    ) async throws {
        // One thread is plenty for probes; the shared group would start one for each core.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var failure: (any Error)?
        do {
            try await listen(connections, group: group, onListening: onListening)
        } catch {
            failure = error
        }
        try? await group.shutdownGracefully()
        if let failure { throw failure }
    }

    private func listen(
        _ connections: OpenConnections, group: any EventLoopGroup,
        onListening: @escaping @Sendable (ListeningAddress) async -> Void
    ) async throws {
        let bound = Bound(port: port)
        while !connections.isShutDown {
            let address = bound.address(host: host)
            let service = makeServer(address, connections, group: group) { channel in
                connections.listen(on: channel)
                let isFirst = bound.settle(port: channel.localAddress?.port)
                if isFirst { await onListening(bound.address(host: host)) }
            }
            var cause = ""
            do {
                try await service.run()
            } catch {
                guard bound.isSettled else { throw HealthServerError(host: host, port: port, bindError: error) }
                cause = ": \(error)"
            }
            guard !connections.isShutDown, !Task.isCancelled else { return }
            logger.warning("The health server stopped listening on \(address) and starts again in a second\(cause)")
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func makeServer(
        _ address: ListeningAddress, _ connections: OpenConnections, group: any EventLoopGroup,
        onServerRunning: @escaping @Sendable (any Channel) async -> Void
    ) -> Server<DeferredHTTP1Channel> {
        let requestTime = TimeAmount(limits.requestTime)
        let channel = HTTP1Channel(
            responder: { request, writer, _ in
                let response = await response(to: request)
                try await writer.write(response: response.head, body: response.body)
            },
            configuration: HTTP1Channel.Configuration(
                additionalChannelHandlers: [ConnectionGuard(connections: connections, requestTime: requestTime)],
                idleTimeout: TimeAmount(limits.idleTime),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: 8 * 1024, maxHeaderListSize: 16 * 1024, maxHeaderFieldCount: 64)))
        // Hummingbird announces its address as news and its end as an error; both are ours to tell.
        var quiet = logger
        quiet.logLevel = .critical
        return Server(
            childChannelSetup: DeferredHTTP1Channel(http: channel),
            configuration: ServerConfiguration(address: .hostname(address.host, port: address.port)),
            onServerRunning: onServerRunning, eventLoopGroup: group, logger: quiet)
    }

    private func response(to request: Request) async -> Response {
        let answer: RouteAnswer
        if let coding = request.headers[.transferEncoding], coding.lowercased() != "chunked" {
            answer = .message("Not Implemented", status: 501)
        } else if request.method == .get || request.method == .head, let route = routes[request.uri.path] {
            answer = await route.answer()
        } else {
            answer = .message("Not Found", status: 404)
        }
        let body = ByteBuffer(string: answer.body)
        let headers: HTTPFields = [
            .contentType: answer.contentType,
            .contentLength: String(body.readableBytes),
            .cacheControl: "no-store",
            .date: HTTPDate.now(),
        ]
        return Response(
            status: HTTPResponse.Status(code: answer.status), headers: headers,
            body: request.method == .head ? ResponseBody() : ResponseBody(byteBuffer: body))
    }
}

/// The port in use: the configured one, until the first bind has settled it.
private final class Bound: Sendable {
    private let state: Mutex<(port: Int, isSettled: Bool)>

    init(port: Int) {
        state = Mutex((port, false))
    }

    var isSettled: Bool { state.withLock { $0.isSettled } }

    /// Takes the port of a bind; `true` the first time.
    func settle(port: Int?) -> Bool {
        state.withLock { state in
            defer { state.isSettled = true }
            if let port { state.port = port }
            return !state.isSettled
        }
    }

    func address(host: String) -> ListeningAddress {
        ListeningAddress(host: host, port: state.withLock { $0.port })
    }
}
