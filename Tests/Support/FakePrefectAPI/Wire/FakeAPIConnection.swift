internal import FoundationEssentials
internal import NIOCore
internal import NIOHTTP1
internal import PrefectJSON
internal import Synchronization

/// One connection to the fake. It handles one request after the other, and applies the fault of each.
final class FakeAPIConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    private let api: FakePrefectAPI
    private var number = 0
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    /// Requests that arrived while another one was being answered.
    private var waiting: [(HTTPRequestHead, [UInt8])] = []
    private var current: Exchange?

    /// The request being answered.
    private struct Exchange {
        var number: Int
        var request: RecordedRequest
        var keepsAlive: Bool
        var reply: Reply?
    }

    init(api: FakePrefectAPI) { self.api = api }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        number = api.core.withLock { core in
            core.connectionCount += 1
            core.connections[core.connectionCount - 1] = channel
            return core.connectionCount - 1
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        api.change { core in core.connections[number] = nil }
        current = nil
        waiting = []
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
            if head.headers["expect"].contains(where: { $0.lowercased() == "100-continue" }) {
                write(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8), context)
            }
        case .body(let buffer): body += buffer.readableBytesView
        case .end:
            guard let head else { return }
            waiting.append((head, body))
            self.head = nil
            if current == nil { takeNext(context) }
        }
    }

    private func takeNext(_ context: ChannelHandlerContext) {
        guard !waiting.isEmpty, context.channel.isActive else { return }
        let (head, body) = waiting.removeFirst()
        let request = api.record(head, body, connection: number)
        current = Exchange(number: request.number, request: request, keepsAlive: head.isKeepAlive)
        perform(api.fault(for: request), context)
    }

    private func perform(_ fault: Fault, _ context: ChannelHandlerContext) {
        guard current != nil else { return }
        switch fault {
        case .pass:
            let reply = reply()
            answer(reply.status, context) { write(serialize(reply), context) }
        case .status(let status, let headers, let body):
            var reply = body.map { Reply.json($0, status: status) } ?? Reply(status: status)
            reply.headers += headers.map { ($0.name, $0.value) }
            answer(status, context) { write(serialize(reply), context) }
        case .applyThen(let then):
            _ = reply()
            perform(then, context)
        case .closeConnection: context.close(promise: nil)
        case .reset: context.channel.reset()
        case .halfClose: context.close(mode: .output, promise: nil)
        case .delay(let delay, let then): perform(then, after: delay, context)
        case .hold(let gate, let then):
            let loop = context.eventLoop
            let bound = NIOLoopBound((self, context), eventLoop: loop)
            gate.whenOpen {
                loop.execute { bound.value.0.perform(then, bound.value.1) }
            }
        case .slowBody(let chunk, let pause): answerSlowly(chunk: max(1, chunk), pause, context)
        case .garbage(let bytes):
            write(bytes, context)
            context.channel.closeAfterWrites()
        case .truncatedBody:
            let (head, body) = split(reply())
            write(head + body.prefix(body.count / 2), context)
            context.channel.closeAfterWrites()
        case .hang: break
        case .raw(let bytes): answer(nil, context) { write(bytes, context) }
        case .replaceBody(let change):
            var reply = reply()
            let body = reply.body.flatMap { try? JSONValue(parsing: $0) } ?? .null
            reply.body = change(body).serialized()
            answer(reply.status, context) { write(serialize(reply), context) }
        }
    }

    /// The true answer; the first call makes the request take effect.
    private func reply() -> Reply {
        guard var exchange = current else { return Reply(status: 500) }
        if let reply = exchange.reply { return reply }
        let reply = api.apply(exchange.request)
        exchange.reply = reply
        current = exchange
        return reply
    }

    private func perform(_ fault: Fault, after delay: Duration, _ context: ChannelHandlerContext) {
        let number = current?.number
        context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(delay)) {
            guard self.current?.number == number else { return }
            self.perform(fault, context)
        }
    }

    private func answerSlowly(chunk: Int, _ pause: Duration, _ context: ChannelHandlerContext) {
        let reply = reply()
        let (head, body) = split(reply)
        write(head, context)
        sendSlowly(body[...], chunk: chunk, pause, reply.status, context)
    }

    private func sendSlowly(
        _ rest: ArraySlice<UInt8>, chunk: Int, _ pause: Duration, _ status: Int, _ context: ChannelHandlerContext
    ) {
        let number = current?.number
        context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(pause)) {
            guard let current = self.current, current.number == number else { return }
            if rest.count <= chunk {
                self.answer(status, context) { self.write(Array(rest), context) }
            } else {
                self.write(Array(rest.prefix(chunk)), context)
                self.sendSlowly(rest.dropFirst(chunk), chunk: chunk, pause, status, context)
            }
        }
    }

    /// Records the status before it sends the bytes, so that a client with the answer finds the status recorded.
    private func answer(_ status: Int?, _ context: ChannelHandlerContext, _ send: () -> Void) {
        guard let exchange = current else { return }
        api.finish(exchange.number, status: status)
        send()
        current = nil
        if exchange.keepsAlive { takeNext(context) } else { context.channel.closeAfterWrites() }
    }

    private func serialize(_ reply: Reply) -> [UInt8] {
        let (head, body) = split(reply)
        return head + body
    }

    private func split(_ reply: Reply) -> (head: [UInt8], body: [UInt8]) {
        var head = "HTTP/1.1 \(reply.status) \(HTTPResponseStatus(statusCode: reply.status).reasonPhrase)\r\n"
        for (name, value) in reply.headers { head += "\(name): \(value)\r\n" }
        let body = Array((reply.body ?? "").utf8)
        if reply.status != 204, reply.status != 304 { head += "content-length: \(body.count)\r\n" }
        if current?.keepsAlive == false { head += "connection: close\r\n" }
        return (Array((head + "\r\n").utf8), body)
    }

    private func write(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: nil)
    }
}
