internal import NIOCore
internal import NIOHTTP1
internal import PrefectJSON
internal import Synchronization

/// One connection to the fake. It answers one request after the other, and carries at most one watch.
final class FakeKubernetesConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let api: FakeKubernetesAPI
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(api: FakeKubernetesAPI) { self.api = api }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        api.state.withLock { $0.channels[ObjectIdentifier(channel)] = channel }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let id = ObjectIdentifier(context.channel)
        api.state.withLock { state in
            state.channels[id] = nil
            state.watchers[id] = nil
        }
        api.changes.notify()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
        case .body(let buffer): body += buffer.readableBytesView
        case .end:
            if let head { answer(Self.request(head, body), context) }
        }
    }

    private static func request(_ head: HTTPRequestHead, _ body: [UInt8]) -> FakeKubernetesAPI.Request {
        let parts = head.uri.split(separator: "?", maxSplits: 1).map(String.init)
        var query: [String: String] = [:]
        for pair in (parts.count > 1 ? parts[1] : "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1).map { decoded(String($0)) }
            query[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
        return FakeKubernetesAPI.Request(
            method: head.method.rawValue, path: decoded(parts[0]), query: query,
            authorization: head.headers.first(name: "authorization"), body: (try? JSONValue(parsing: body)) ?? .null)
    }

    private static func decoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func answer(_ request: FakeKubernetesAPI.Request, _ context: ChannelHandlerContext) {
        let channel = context.channel
        let fault = api.take(request)
        switch fault {
        case .answer(let status, let reason, let message, let retryAfter)?:
            return send(.status(status, reason, message, retryAfter: retryAfter), context, cut: nil)
        case .drop?: return context.close(promise: nil)
        case .ignore?: return
        case .loseAnswer?:
            _ = api.answer(request, channel: channel)
            return context.close(promise: nil)
        case .cut(let bytes)?: send(api.answer(request, channel: channel), context, cut: bytes)
        case nil: send(api.answer(request, channel: channel), context, cut: nil)
        }
    }

    private func send(_ reply: FakeKubernetesReply, _ context: ChannelHandlerContext, cut: Int?) {
        var status = 200
        var headers = HTTPHeaders([("content-type", "application/json")])
        var bytes: [UInt8] = []
        var isWatch = false
        switch reply {
        case .json(let code, let json, let retryAfter):
            status = code
            bytes = json.serializedBytes()
            if let retryAfter { headers.add(name: "retry-after", value: String(retryAfter)) }
        case .text(let text): bytes = Array(text.utf8)
        case .watch(_, let events):
            isWatch = true
            for event in events { bytes += event.serializedBytes() + [UInt8(ascii: "\n")] }
        }
        if isWatch { api.changes.notify() }
        if isWatch || cut != nil {
            headers.add(name: "transfer-encoding", value: "chunked")
        } else {
            headers.add(name: "content-length", value: String(bytes.count))
        }
        if let cut { bytes = Array(bytes.prefix(cut)) }
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !bytes.isEmpty { context.write(wrapOutboundOut(.body(.byteBuffer(.init(bytes: bytes)))), promise: nil) }
        if cut != nil {
            context.flush()
            context.close(promise: nil)
        } else if isWatch {
            context.flush()
        } else {
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }

    /// Sends an event over a watch.
    static func send(_ event: JSONValue, to channel: any Channel) {
        let bytes = event.serializedBytes() + [UInt8(ascii: "\n")]
        channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(.init(bytes: bytes))), promise: nil)
    }

    /// Ends a watch, after a last event.
    static func end(_ channel: any Channel, sending event: JSONValue?) {
        if let event { send(event, to: channel) }
        channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
    }
}
