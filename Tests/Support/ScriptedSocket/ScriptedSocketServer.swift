internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOWebSocket
internal import Synchronization
internal import Testing

/// A WebSocket server that runs a script on each connection.
public final class ScriptedSocketServer: Sendable {
    /// The head of a handshake.
    public struct Handshake: Sendable {
        /// Its number, counted from 0 over all handshakes, including refused ones.
        public let number: Int
        /// The path with the query, as received.
        public let path: String
        /// The headers in their order.
        public let headers: [(name: String, value: String)]

        /// A header's value; the name's case does not matter.
        public func header(_ name: String) -> String? {
            headers.first { $0.name.lowercased() == name.lowercased() }?.value
        }
    }

    /// The answer to a handshake.
    public enum Answer: Sendable {
        /// A WebSocket, with this subprotocol.
        case accept(subprotocol: String?)
        /// A status, and the end of the connection.
        case refuse(Int, headers: [(name: String, value: String)] = [], body: String = "")
        /// No answer, for as long as the client waits.
        case ignore
        /// The end of the connection. Requests other than handshakes are nevertheless answered, with 400.
        case drop
    }

    /// The server's part in one connection. When it returns or throws, the connection is closed with code 1000.
    public typealias Script = @Sendable (ScriptedSocket) async throws -> Void

    struct State: Sendable {
        var handshakes: [Handshake] = []
        var sockets: [ScriptedSocket] = []
        var channels: [ObjectIdentifier: any Channel] = [:]
        var listener: (any Channel)?
    }

    private let state = Mutex(State())
    private let changes = Changes()
    private let reservation: PortReservation
    private let answer: @Sendable (Handshake) -> Answer
    private let accepted: AsyncStream<ScriptedSocket>
    private let acceptance: AsyncStream<ScriptedSocket>.Continuation

    fileprivate init(answer: @escaping @Sendable (Handshake) -> Answer) throws {
        reservation = try PortReservation()
        self.answer = answer
        (accepted, acceptance) = AsyncStream.makeStream()
    }

    /// The server's port.
    public var port: Int { reservation.port }

    /// The URL of the API that the server imitates, with `http`.
    public var url: String { "http://127.0.0.1:\(port)/api" }

    /// All handshakes so far, including refused ones.
    public var handshakes: [Handshake] { state.withLock { $0.handshakes } }

    /// All WebSockets so far.
    public var sockets: [ScriptedSocket] { state.withLock { $0.sockets } }

    /// Waits until a condition holds. The condition is checked again after every handshake.
    public func waitUntil(
        _ what: String, timeout: Duration = .seconds(30), isolation: isolated (any Actor)? = #isolation,
        _ condition: (ScriptedSocketServer) throws -> Bool
    ) async throws {
        let found = try await changes.wait(timeout: timeout) { try condition(self) ? true : nil }
        if found == nil {
            throw WaitTimeout(what: what, timeout: timeout, detail: "\(handshakes.count) handshakes")
        }
    }

    /// Waits for the WebSocket with a number, counted from 0 over all accepted ones.
    public func socket(
        _ number: Int, timeout: Duration = .seconds(30), isolation: isolated (any Actor)? = #isolation
    ) async throws -> ScriptedSocket {
        try await waitUntil("WebSocket \(number) is opened", timeout: timeout) { $0.sockets.count > number }
        return sockets[number]
    }

    /// Accepts connections again after ``stopListening()``.
    public func listen() async throws {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.configure(channel) }
            }
            .bind(host: "127.0.0.1", port: port).get()
        state.withLock { $0.listener = listener }
    }

    /// Refuses new connections; existing ones continue.
    public func stopListening() async {
        let listener = state.withLock { state in
            defer { state.listener = nil }
            return state.listener
        }
        await listener?.stopListening()
    }

    fileprivate func serve(_ script: @escaping Script) async {
        await withDiscardingTaskGroup { group in
            for await socket in accepted {
                group.addTask {
                    do {
                        try await script(socket)
                    } catch is ScriptedSocket.Ended {
                    } catch is CancellationError {
                    } catch {
                        Issue.record(error)
                    }
                    await socket.close(1000)
                }
            }
        }
    }

    fileprivate func stop() async {
        acceptance.finish()
        await stopListening()
        for channel in state.withLock({ Array($0.channels.values) }) { try? await channel.close().get() }
    }

    private func configure(_ channel: any Channel) throws {
        let id = ObjectIdentifier(channel)
        state.withLock { $0.channels[id] = channel }
        channel.closeFuture.whenComplete { _ in self.state.withLock { _ = $0.channels.removeValue(forKey: id) } }
        let decision = Decision()
        let upgrader = NIOWebSocketServerUpgrader(
            shouldUpgrade: { channel, head in
                channel.eventLoop.makeCompletedFuture { self.decide(decision, on: head) }
            },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    guard let handshake = decision.handshake.withLock({ $0 }) else { return }
                    let socket = ScriptedSocket(handshake: handshake, channel: channel)
                    let aggregator = NIOWebSocketFrameAggregator(
                        minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: 1 << 16, maxAccumulatedFrameSize: 32 << 20
                    )
                    try channel.pipeline.syncOperations.addHandlers(aggregator, ScriptedSocketHandler(socket))
                    self.state.withLock { $0.sockets.append(socket) }
                    self.acceptance.yield(socket)
                    self.changes.notify()
                }
            })
        let refusal = RefusalHandler(decision)
        try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withServerUpgrade: (
                upgraders: [upgrader],
                completionHandler: { context in context.pipeline.syncOperations.removeHandler(refusal, promise: nil) }
            ))
        try channel.pipeline.syncOperations.addHandler(refusal)
    }

    private func decide(_ decision: Decision, on head: HTTPRequestHead) -> HTTPHeaders? {
        let handshake = state.withLock { state in
            let handshake = Handshake(
                number: state.handshakes.count, path: head.uri,
                headers: head.headers.map { (name: $0.name, value: $0.value) })
            state.handshakes.append(handshake)
            return handshake
        }
        decision.handshake.withLock { $0 = handshake }
        let answer = answer(handshake)
        decision.answer.withLock { $0 = answer }
        changes.notify()
        guard case .accept(let subprotocol) = answer else { return nil }
        return subprotocol.map { ["Sec-WebSocket-Protocol": $0] } ?? [:]
    }
}

/// Runs `body` with its own scripted WebSocket server, and stops that server afterwards.
///
/// - Parameters:
///   - answer: The answer to handshakes. By default, it is a WebSocket with the subprotocol that the client offers
///     first.
///   - script: The server's part in each connection.
///   - body: The test's part, which runs at the same time.
public func withScriptedSocketServer<Result: Sendable>(
    answer: @escaping @Sendable (ScriptedSocketServer.Handshake) -> ScriptedSocketServer.Answer = {
        .accept(subprotocol: $0.header("Sec-WebSocket-Protocol")?.split(separator: ",").first.map(String.init))
    },
    script: @escaping ScriptedSocketServer.Script, isolation: isolated (any Actor)? = #isolation,
    _ body: (ScriptedSocketServer) async throws -> Result
) async throws -> Result {
    let server = try ScriptedSocketServer(answer: answer)
    try await server.listen()
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await server.serve(script) }
        do {
            let result = try await body(server)
            await server.stop()
            group.cancelAll()
            return result
        } catch {
            await server.stop()
            throw error
        }
    }
}

/// The decision about a connection's handshake.
private final class Decision: Sendable {
    let handshake = Mutex<ScriptedSocketServer.Handshake?>(nil)
    let answer = Mutex<ScriptedSocketServer.Answer?>(nil)
}

/// Answers requests that do not become a WebSocket.
private final class RefusalHandler: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart
    private let decision: Decision

    init(_ decision: Decision) { self.decision = decision }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .end = unwrapInboundIn(data) else { return }
        let answer = decision.answer.withLock { $0 } ?? .refuse(400)
        if case .drop = answer { return context.close(promise: nil) }
        guard case .refuse(let status, let fields, let body) = answer else { return }
        var head = HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: status))
        for (name, value) in fields { head.headers.add(name: name, value: value) }
        head.headers.add(name: "content-length", value: String(body.utf8.count))
        head.headers.add(name: "connection", value: "close")
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }

    // The channel also reports a refused handshake as an error.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
