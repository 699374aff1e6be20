internal import NIOCore
internal import NIOHTTPTypes

/// Limits the resources that one client can hold. A request that is not sent, answered and received within its time
/// limit ends its connection. No route reads bodies, so this handler discards them; a long body ends its connection.
///
/// The handler is placed between the HTTP codec and the server. The server's own idle timeout covers the time before a
/// request.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let connections: OpenConnections
    private let requestTime: TimeAmount
    private let longestBody: Int
    private var isCounted = false
    private var isReading = false
    private var unanswered = 0
    private var bodyBytes = 0
    private var deadline: Scheduled<Void>?

    init(connections: OpenConnections, requestTime: TimeAmount, longestBody: Int = 16 * 1024) {
        self.connections = connections
        self.requestTime = requestTime
        self.longestBody = longestBody
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { count(context.channel) }
    }

    func channelActive(context: ChannelHandlerContext) {
        count(context.channel)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        connections.remove(context.channel)
        deadline?.cancel()
        deadline = nil
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            isReading = true
            bodyBytes = 0
            unanswered += 1
            if deadline == nil {
                let channel = context.channel
                deadline = context.eventLoop.scheduleTask(in: requestTime) { channel.close(promise: nil) }
            }
        case .body(let bytes):
            bodyBytes += bytes.readableBytes
            if bodyBytes > longestBody { context.close(promise: nil) }
            return
        case .end:
            isReading = false
            endDeadlineWhenDone()
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) {
            unanswered -= 1
            endDeadlineWhenDone()
        }
        context.write(data, promise: promise)
    }

    private func count(_ channel: any Channel) {
        guard !isCounted else { return }
        isCounted = true
        connections.add(channel)
    }

    private func endDeadlineWhenDone() {
        guard !isReading, unanswered <= 0 else { return }
        deadline?.cancel()
        deadline = nil
    }
}
