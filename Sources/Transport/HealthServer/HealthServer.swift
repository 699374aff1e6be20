internal import Glibc
internal import HTTPTypes
internal import HummingbirdCore
package import Logging
internal import NIOCore
internal import NIOHTTPTypes
internal import NIOPosix
internal import Synchronization

/// The HTTP server for probes: `/health` (liveness), `/ready` (readiness) and further routes.
///
/// `GET /health` responds like the Python worker, so that probes need no change. It returns 200 `{"message":"OK"}`, or
/// 503 `{"message":"Worker may be unresponsive at this time"}`. `GET /ready` returns 200 `{"message":"OK"}`, or 503
/// with the reason as the message. HEAD returns the same without the body; every other request returns 404. A transfer
/// coding other than `chunked` returns 501. A route for POST returns 404 for GET. A slow, silent or excessive client
/// loses at most its own connection.
package struct HealthServer: Sendable {
    private let address: ListeningAddress
    private let routes: [String: StatusRoute]
    private let logger: Logger
    private let limits: Limits

    /// The limits for one client and for all clients together.
    struct Limits: Sendable {
        /// The longest silence of a connection, before its first request and between two requests.
        var idleTime: Duration = .seconds(30)
        /// The longest duration of a request, from its first line to the last byte of the response.
        var requestTime: Duration = .seconds(10)
        /// The largest number of open connections.
        var connections = 128
    }

    /// - Parameters:
    ///   - host: The name or address to listen on: `PREFECT_WORKER_WEBSERVER_HOST`. `::` listens on IPv4, too.
    ///   - port: The port: `PREFECT_WORKER_WEBSERVER_PORT`; 0 lets the system choose.
    ///   - liveness: Whether the worker's loops are alive. Like every route, it should respond within a second.
    ///   - readiness: Whether the worker can take flow runs, and why not.
    ///   - routes: Further paths. A route replaces an earlier route, or a probe, with the same path.
    ///   - logger: The logger for the server's rare failures.
    package init(
        host: String, port: Int,
        liveness: @escaping @Sendable () async -> ProbeAnswer, readiness: @escaping @Sendable () async -> ProbeAnswer,
        routes: [StatusRoute] = [], logger: Logger
    ) {
        self.init(
            host: host, port: port, routes: [.health(liveness), .ready(readiness)] + routes, logger: logger,
            limits: Limits())
    }

    /// A server with these routes only, without probes.
    package init(host: String, port: Int, routes: [StatusRoute], logger: Logger) {
        self.init(host: host, port: port, routes: routes, logger: logger, limits: Limits())
    }

    /// A server on a Unix socket with these routes only. Only the user of this process and root may connect, if nobody
    /// else may use the directory of the socket. A socket at the path is replaced.
    ///
    /// - Parameters:
    ///   - socket: The path of the socket, at most 107 bytes.
    ///   - name: The path in messages.
    package init(socket: String, name: String, routes: [StatusRoute], logger: Logger) {
        self.init(.socket(path: socket, name: name), routes: routes, logger: logger, limits: Limits())
    }

    init(host: String, port: Int, routes: [StatusRoute], logger: Logger, limits: Limits) {
        // Brackets belong in URLs, but people write them in settings.
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]") && host.utf8.count > 2
        let host = isBracketed ? String(host.dropFirst().dropLast()) : host
        self.init(.network(host: host, port: port), routes: routes, logger: logger, limits: limits)
    }

    init(_ address: ListeningAddress, routes: [StatusRoute], logger: Logger, limits: Limits) {
        self.address = address
        self.routes = Dictionary(routes.map { ($0.path, $0) }) { $1 }
        self.logger = logger
        self.limits = limits
    }

    /// Listens and responds until the calling task is cancelled, then closes every connection and returns.
    ///
    /// - Parameter onListening: Called once, as soon as clients can connect. Work that must not start without the port
    ///   starts after it.
    /// - Throws: ``HealthServerError`` when the server cannot listen, before `onListening`; nothing afterwards.
    package func run(
        onListening: @escaping @Sendable (ListeningAddress) async -> Void = { _ in }
    ) async throws {
        if let port = address.port, !(0...65535).contains(port) {
            throw HealthServerError(address, cause: .invalidPort)
        }
        let connections = OpenConnections(limit: limits.connections)
        // The task is detached, because a graceful shutdown of a surrounding service group would end Hummingbird's
        // server. Probes must continue while the worker drains. Cancellation is passed on explicitly.
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
        // One thread is enough for probes; the shared group would start one for each core.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var failure: (any Error)?
        do {
            try await listen(connections, group: group, onListening: onListening)
        } catch {
            failure = error
        }
        connections.shutDown()
        try? await group.shutdownGracefully()
        if let failure { throw failure }
    }

    private func listen(
        _ connections: OpenConnections, group: any EventLoopGroup,
        onListening: @escaping @Sendable (ListeningAddress) async -> Void
    ) async throws {
        let bound = Bound(address)
        while !connections.isShutDown {
            let address = bound.address
            let service = makeServer(address, connections, group: group) { channel in
                connections.listen(on: channel)
                // Other users may not connect, even if the directory is opened to them later.
                if case .socket(let path, _) = address { chmod(path, 0o600) }
                let isFirst = bound.settle(port: channel.localAddress?.port)
                if isFirst { await onListening(bound.address) }
            }
            var cause = ""
            do {
                try await service.run()
            } catch {
                guard bound.isSettled else { throw HealthServerError(self.address, bindError: error) }
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
        // Hummingbird logs its address as information and its end as an error. The worker reports both itself.
        var quiet = logger
        quiet.logLevel = .critical
        return Server(
            childChannelSetup: DeferredHTTP1Channel(http: channel),
            configuration: ServerConfiguration(address: address.bindAddress),
            onServerRunning: onServerRunning, eventLoopGroup: group, logger: quiet)
    }

    private func response(to request: Request) async -> Response {
        let answer: RouteAnswer
        if let coding = request.headers[.transferEncoding], coding.lowercased() != "chunked" {
            answer = .message("Not Implemented", status: 501)
        } else if let route = routes[request.uri.path], route.takes(request.method) {
            answer = await route.answer(request.uri.query ?? "")
        } else {
            answer = .message("Not Found", status: 404)
        }
        let body = ByteBuffer(string: answer.body)
        var headers: HTTPFields = [
            .contentType: answer.contentType,
            .contentLength: String(body.readableBytes),
            .cacheControl: "no-store",
            .date: HTTPDate.now(),
        ]
        for (name, value) in answer.headers {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        return Response(
            status: HTTPResponse.Status(code: answer.status), headers: headers,
            body: request.method == .head ? ResponseBody() : ResponseBody(byteBuffer: body))
    }
}

/// The address in use. It is the configured address until the first bind determines the port.
private final class Bound: Sendable {
    private let state: Mutex<(address: ListeningAddress, isSettled: Bool)>

    init(_ address: ListeningAddress) {
        state = Mutex((address, false))
    }

    var isSettled: Bool { state.withLock { $0.isSettled } }
    var address: ListeningAddress { state.withLock { $0.address } }

    /// Stores the port of a bind; returns `true` the first time.
    func settle(port: Int?) -> Bool {
        state.withLock { state in
            defer { state.isSettled = true }
            state.address = state.address.bound(to: port)
            return !state.isSettled
        }
    }
}
