internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// A server that sends the same beginning for every request, and then further bytes as long as the client reads them.
/// It counts the bytes.
public final class HostileServer: Sendable {
    /// The bytes of an answer.
    public struct Answer: Sendable {
        /// The first bytes, such as the head.
        public var beginning: [UInt8]
        /// The bytes that follow repeatedly; an empty array means none.
        public var rest: [UInt8]
        /// The pause before each repetition; without one, the server sends as fast as the client reads.
        public var pause: Duration?

        /// An answer.
        public init(beginning: [UInt8], rest: [UInt8] = [], pause: Duration? = nil) {
            self.beginning = beginning
            self.rest = rest
            self.pause = pause
        }

        /// An answer with a head as text.
        public init(_ beginning: String, rest: [UInt8] = [], pause: Duration? = nil) {
            self.init(beginning: Array(beginning.utf8), rest: rest, pause: pause)
        }
    }

    fileprivate struct State {
        var sentBytes = 0
        var requestCount = 0
        var channels: [ObjectIdentifier: any Channel] = [:]
    }

    fileprivate let state = Mutex(State())
    private let listener: any Channel

    /// The server's address.
    public let url: String

    private init(listener: any Channel, port: Int) {
        self.listener = listener
        url = "http://127.0.0.1:\(port)"
    }

    /// The number of bytes sent, including those that are still in the system's buffers.
    public var sentBytes: Int { state.withLock { $0.sentBytes } }

    /// The number of requests received.
    public var requestCount: Int { state.withLock { $0.requestCount } }

    /// How many connections are open.
    public var openConnections: Int { state.withLock { $0.channels.count } }

    fileprivate static func start(_ answer: Answer) async throws -> HostileServer {
        let box = Box()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let server = box.server.withLock({ $0 }) else { return }
                    try channel.pipeline.syncOperations.addHandler(HostileConnection(server, answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = HostileServer(listener: listener, port: listener.localAddress?.port ?? 0)
        box.server.withLock { $0 = server }
        return server
    }

    // The server needs its port before it exists, and the listener needs the server.
    private final class Box: Sendable {
        let server = Mutex<HostileServer?>(nil)
    }

    fileprivate func stop() async {
        await listener.stopListening()
        for channel in state.withLock({ Array($0.channels.values) }) { try? await channel.close().get() }
    }
}

/// Runs `body` with its own hostile server, and stops that server afterwards.
public func withHostileServer<Result>(
    _ answer: HostileServer.Answer, isolation: isolated (any Actor)? = #isolation,
    _ body: (HostileServer) async throws -> Result
) async throws -> Result {
    let server = try await HostileServer.start(answer)
    do {
        let result = try await body(server)
        await server.stop()
        return result
    } catch {
        await server.stop()
        throw error
    }
}

private final class HostileConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: HostileServer
    private let answer: HostileServer.Answer
    private var received: [UInt8] = []
    private var isSending = false

    init(_ server: HostileServer, _ answer: HostileServer.Answer) {
        self.server = server
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        server.state.withLock { $0.channels[ObjectIdentifier(channel)] = channel }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let channel = context.channel
        server.state.withLock { $0.channels[ObjectIdentifier(channel)] = nil }
        isSending = false
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += unwrapInboundIn(data).readableBytesView
        guard !isSending, received.suffix(4).elementsEqual("\r\n\r\n".utf8) || received.last == UInt8(ascii: "}") else {
            return
        }
        received = []
        server.state.withLock { $0.requestCount += 1 }
        send(answer.beginning, context)
        guard !answer.rest.isEmpty else { return }
        isSending = true
        if let pause = answer.pause { drip(every: pause, context) } else { pour(context) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if answer.pause == nil { pour(context) }
    }

    private func pour(_ context: ChannelHandlerContext) {
        while isSending, context.channel.isActive, context.channel.isWritable { send(answer.rest, context) }
    }

    private func drip(every pause: Duration, _ context: ChannelHandlerContext) {
        context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(pause)) {
            guard self.isSending, context.channel.isActive else { return }
            self.send(self.answer.rest, context)
            self.drip(every: pause, context)
        }
    }

    private func send(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        server.state.withLock { $0.sentBytes += bytes.count }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: nil)
    }
}
