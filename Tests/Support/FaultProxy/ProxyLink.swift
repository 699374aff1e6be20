internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import PrefectJSON
internal import Synchronization

/// One client's connection through the proxy, together with its connection to the server.
///
/// Both channels run on the client's event loop, and only this loop uses the object.
final class ProxyLink {
    private let proxy: FaultProxy
    private let client: any Channel
    private let loop: any EventLoop
    private var server: (any Channel)?
    private var number = 0
    /// The destination of the connection to the server, which is opened when there are bytes to send.
    private var target: (host: String, port: Int)
    private var splitter = RequestSplitter()
    /// The bytes to send as soon as the connection to the server is open; `nil` when no connection is being opened.
    private var backlog: [[UInt8]]?
    private var lastDue: [FaultProxy.Direction: NIODeadline] = [:]
    private var unsent: [FaultProxy.Direction: Int] = [:]

    /// The treatment of the rest of the request that is arriving.
    private enum Request {
        case forward(delay: Duration)
        case answer([UInt8])
    }
    private var request = Request.forward(delay: .zero)
    private var losesAnswer = false
    private var answerBytes = 0

    init(proxy: FaultProxy, client: any Channel) {
        self.proxy = proxy
        self.client = client
        loop = client.eventLoop
        target = (proxy.target.host, proxy.target.port)
    }

    private var mode: FaultProxy.Mode { proxy.state.withLock { $0.mode } }

    private func swallows(_ direction: FaultProxy.Direction) -> Bool {
        mode == .blackHole(.both) || mode == .blackHole(direction)
    }

    /// Discards bytes in the mode `blackHole`. Returns whether it did.
    private func swallow(_ bytes: [UInt8], _ direction: FaultProxy.Direction) -> Bool {
        guard swallows(direction) else { return false }
        proxy.state.withLock { $0.swallowedBytes += bytes.count }
        proxy.changes.notify()
        return true
    }

    // MARK: From the client

    fileprivate func clientOpened() {
        let client = client
        number = proxy.state.withLock { state in
            state.connectionCount += 1
            state.connections[state.connectionCount - 1] = client
            return state.connectionCount - 1
        }
        proxy.changes.notify()
    }

    fileprivate func clientClosed(byError: Bool) {
        let number = number
        proxy.state.withLock { $0.connections[number] = nil }
        proxy.changes.notify()
        if byError { server?.reset() } else { server?.closeAfterWrites() }
    }

    fileprivate func clientSent(_ bytes: [UInt8]) {
        if swallow(bytes, .requests) { return }
        for piece in splitter.take(bytes) {
            switch piece {
            case .head(let method, let path, let bytes): begin(method, path, bytes)
            case .body(let bytes):
                if case .forward(let delay) = request { forward(bytes, delay: delay) }
            case .end:
                if case .answer(let answer) = request { send(answer, to: client, .answers, delay: .zero) }
            case .opaque(let bytes): forward(bytes, delay: .zero)
            }
        }
    }

    private func begin(_ method: String, _ path: String, _ bytes: [UInt8]) {
        request = .forward(delay: .zero)
        switch proxy.decide(method, path, connection: number) {
        case nil: break
        case .loseAnswer: losesAnswer = true
        case .delay(let delay): request = .forward(delay: delay)
        case .reset: return client.reset()
        case .divert(let port): target = ("127.0.0.1", port)
        case .answer(let status, let headers, let body):
            request = .answer(Self.answer(status, headers, body))
            return
        }
        answerBytes = 0
        if case .forward(let delay) = request { forward(bytes, delay: delay) }
    }

    private static func answer(_ status: Int, _ headers: [(name: String, value: String)], _ body: JSONValue?) -> [UInt8]
    {
        var head = "HTTP/1.1 \(status) \(HTTPResponseStatus(statusCode: status).reasonPhrase)\r\n"
        let body = body?.serializedBytes() ?? []
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if status != 204 { head += "content-type: application/json\r\ncontent-length: \(body.count)\r\n" }
        return Array((head + "\r\n").utf8) + body
    }

    private func forward(_ bytes: [UInt8], delay: Duration) {
        if let server { return send(bytes, to: server, .requests, delay: delay) }
        if backlog != nil {
            backlog?.append(bytes)
            return
        }
        backlog = [bytes]
        let bound = NIOLoopBound(self, eventLoop: loop)
        let connecting = ClientBootstrap(group: loop)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ServerSide(bound.value))
                }
            }
            .connect(host: target.host, port: target.port)
        connecting.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): self.serverOpened(channel, delay: delay)
            case .failure: self.client.reset()
            }
        }
    }

    // MARK: From the server

    private func serverOpened(_ channel: any Channel, delay: Duration) {
        server = channel
        for bytes in backlog ?? [] { send(bytes, to: channel, .requests, delay: delay) }
        backlog = nil
        if !client.isActive { channel.close(promise: nil) }
    }

    fileprivate func serverSent(_ bytes: [UInt8]) {
        if swallow(bytes, .answers) { return }
        if losesAnswer {
            client.close(promise: nil)
            return
        }
        if case .cutAnswers(let limit) = mode {
            let rest = max(0, limit - answerBytes)
            send(Array(bytes.prefix(rest)), to: client, .answers, delay: .zero)
            answerBytes += bytes.count
            if answerBytes >= limit { client.closeAfterWrites() }
            return
        }
        answerBytes += bytes.count
        send(bytes, to: client, .answers, delay: .zero)
    }

    fileprivate func serverClosed(byError: Bool) {
        server = nil
        // A network that discards bytes also discards the end of a connection.
        if swallows(.answers) { return }
        if byError { return client.reset() }
        guard let due = lastDue[.answers], unsent[.answers, default: 0] > 0 else {
            return client.closeAfterWrites()
        }
        loop.assumeIsolated().scheduleTask(deadline: due) { self.client.closeAfterWrites() }
    }

    // MARK: Sending

    /// Sends bytes now or later, and never before bytes that were due earlier.
    private func send(_ bytes: [UInt8], to channel: any Channel, _ direction: FaultProxy.Direction, delay: Duration) {
        var delay = delay
        if case .latency(let latency) = mode { delay += latency }
        let due = max(NIODeadline.now() + TimeAmount(delay), lastDue[direction] ?? .uptimeNanoseconds(0))
        let buffer = channel.allocator.buffer(bytes: bytes)
        if due <= .now(), unsent[direction, default: 0] == 0 {
            channel.writeAndFlush(buffer, promise: nil)
        } else {
            lastDue[direction] = due
            unsent[direction, default: 0] += 1
            loop.assumeIsolated().scheduleTask(deadline: due) {
                self.unsent[direction, default: 0] -= 1
                channel.writeAndFlush(buffer, promise: nil)
            }
        }
    }
}

extension ProxyLink {
    final class ClientSide: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let link: ProxyLink
        private var failed = false

        init(_ link: ProxyLink) { self.link = link }

        func channelActive(context: ChannelHandlerContext) { link.clientOpened() }
        func channelInactive(context: ChannelHandlerContext) { link.clientClosed(byError: failed) }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            link.clientSent(Array(unwrapInboundIn(data).readableBytesView))
        }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            failed = true
            context.close(promise: nil)
        }
    }

    final class ServerSide: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let link: ProxyLink
        private var failed = false

        init(_ link: ProxyLink) { self.link = link }

        func channelInactive(context: ChannelHandlerContext) { link.serverClosed(byError: failed) }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            link.serverSent(Array(unwrapInboundIn(data).readableBytesView))
        }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            failed = true
            context.close(promise: nil)
        }
    }
}
