internal import NIOCore
internal import NIOWebSocket
public import PrefectJSON
internal import Synchronization

/// One connection of a ``ScriptedSocketServer``, from the server's side. It answers pings by itself.
public final class ScriptedSocket: Sendable {
    /// The client has disconnected, or this side has closed the connection.
    public struct Ended: Error, CustomStringConvertible {
        /// The client's close frame; `nil` when the client sent none.
        public let close: Close?
        public var description: String { "the WebSocket has ended (\(close.map { "\($0)" } ?? "without a close"))" }
    }

    /// A close frame.
    public struct Close: Sendable, Hashable {
        /// The code; `nil` when there was none.
        public let code: Int?
        /// The reason.
        public let reason: String
    }

    private struct State {
        var waiting: [String] = []
        var received: [String] = []
        var close: Close?
        var hasEnded = false
        var answersPings = true
        var pings = 0
    }

    private let state = Mutex(State())
    private let changes = Changes()
    private let channel: any Channel

    /// The handshake that opened the connection.
    public let handshake: ScriptedSocketServer.Handshake

    init(handshake: ScriptedSocketServer.Handshake, channel: any Channel) {
        self.handshake = handshake
        self.channel = channel
    }

    /// All messages received, including those that ``receive(timeout:isolation:)`` has returned.
    public var received: [String] { state.withLock { $0.received } }

    /// The client's close frame, once it was received.
    public var close: Close? { state.withLock { $0.close } }

    /// The number of pings received.
    public var pings: Int { state.withLock { $0.pings } }

    /// Stops answering pings from now on.
    public func stopAnsweringPings() { state.withLock { $0.answersPings = false } }

    /// Sends a text message.
    public func send(_ text: String) async throws {
        let frame = WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(string: text))
        do { try await channel.writeAndFlush(frame).get() } catch { throw Ended(close: close) }
    }

    /// Sends JSON as a text message.
    public func send(_ json: JSONValue) async throws { try await send(json.serialized()) }

    /// Sends a binary message.
    public func send(binary bytes: [UInt8]) async throws {
        let frame = WebSocketFrame(fin: true, opcode: .binary, data: ByteBuffer(bytes: bytes))
        do { try await channel.writeAndFlush(frame).get() } catch { throw Ended(close: close) }
    }

    /// The next message. Throws ``Ended`` when the connection has ended, and ``WaitTimeout`` when no message arrives in
    /// time.
    public func receive(timeout: Duration = .seconds(30), isolation: isolated (any Actor)? = #isolation) async throws
        -> String
    {
        let found = try await changes.wait(timeout: timeout) { () -> Result<String, Ended>? in
            self.state.withLock { state in
                if !state.waiting.isEmpty { return .success(state.waiting.removeFirst()) }
                return state.hasEnded ? .failure(Ended(close: state.close)) : nil
            }
        }
        guard let found else { throw WaitTimeout(what: "a message comes", timeout: timeout, detail: "none came") }
        return try found.get()
    }

    /// The next message, as JSON.
    public func receiveJSON(timeout: Duration = .seconds(30), isolation: isolated (any Actor)? = #isolation)
        async throws -> JSONValue
    {
        try JSONValue(parsing: Array(try await receive(timeout: timeout).utf8))
    }

    /// Waits until the connection has ended, and returns the client's close frame.
    @discardableResult
    public func waitForEnd(timeout: Duration = .seconds(30), isolation: isolated (any Actor)? = #isolation)
        async throws -> Close?
    {
        let found = try await changes.wait(timeout: timeout) { self.state.withLock { $0.hasEnded } ? true : nil }
        if found == nil {
            throw WaitTimeout(what: "the WebSocket ends", timeout: timeout, detail: "\(received.count) messages came")
        }
        return close
    }

    /// Sends a close frame and ends the connection, if it has not ended yet.
    public func close(_ code: Int, _ reason: String = "") async {
        var data = ByteBuffer()
        data.write(webSocketErrorCode: WebSocketErrorCode(codeNumber: code))
        data.writeString(reason)
        let frame = WebSocketFrame(fin: true, opcode: .connectionClose, data: data)
        try? await channel.writeAndFlush(frame).get()
        try? await channel.close(mode: .output).get()
        try? await channel.closeFuture.get()
    }

    /// Ends the connection without a close frame.
    public func cut() async {
        try? await channel.eventLoop.submit { self.channel.reset() }.get()
        try? await channel.closeFuture.get()
    }

    fileprivate func took(_ text: String) {
        state.withLock { state in
            state.waiting.append(text)
            state.received.append(text)
        }
        changes.notify()
    }

    fileprivate func tookPing() -> Bool {
        state.withLock { state in
            state.pings += 1
            return state.answersPings
        }
    }

    fileprivate func tookClose(_ close: Close) { state.withLock { $0.close = close } }

    fileprivate func ended() {
        state.withLock { $0.hasEnded = true }
        changes.notify()
    }
}

final class ScriptedSocketHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame
    private let socket: ScriptedSocket

    init(_ socket: ScriptedSocket) { self.socket = socket }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        var payload = frame.unmaskedData
        switch frame.opcode {
        case .text, .binary:
            socket.took(String(buffer: payload))
        case .ping where socket.tookPing():
            context.writeAndFlush(
                wrapOutboundOut(WebSocketFrame(fin: true, opcode: .pong, data: payload)), promise: nil)
        case .connectionClose:
            let code = payload.readWebSocketErrorCode().map { Int(UInt16(webSocketErrorCode: $0)) }
            socket.tookClose(ScriptedSocket.Close(code: code, reason: String(buffer: payload)))
            let answer = WebSocketFrame(fin: true, opcode: .connectionClose, data: frame.unmaskedData)
            let channel = context.channel
            context.writeAndFlush(wrapOutboundOut(answer)).whenComplete { _ in channel.close(promise: nil) }
        default: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) { socket.ended() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
