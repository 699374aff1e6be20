internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// A connection to a local port or a Unix socket that shows exactly which bytes arrive and how it ends.
public final class RawConnection: Sendable {
    /// How the other side ended the connection.
    public enum Ending: Sendable, Hashable {
        /// In order (FIN).
        case closed
        /// With a reset (RST).
        case reset
    }

    private struct State {
        var received: [UInt8] = []
        var ending: Ending?
    }

    private let state = Mutex(State())
    private let changes = Changes()
    private let channel = Mutex<(any Channel)?>(nil)

    private init() {}

    /// Connects; throws when the port refuses.
    public static func connect(host: String = "127.0.0.1", port: Int) async throws -> RawConnection {
        try await connect { try await $0.connect(host: host, port: port).get() }
    }

    /// Connects to a Unix socket; throws when nobody listens there.
    public static func connect(unixSocket path: String) async throws -> RawConnection {
        try await connect { try await $0.connect(unixDomainSocketPath: path).get() }
    }

    private static func connect(
        _ connect: (ClientBootstrap) async throws -> any Channel
    ) async throws -> RawConnection {
        let connection = RawConnection()
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(30))
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Receiver(connection))
                }
            }
        let channel = try await connect(bootstrap)
        connection.channel.withLock { $0 = channel }
        return connection
    }

    /// Connects to the host and port of a URL.
    public static func connect(to url: String) async throws -> RawConnection {
        let target = try HTTPTarget(url)
        return try await connect(host: target.host, port: target.port)
    }

    /// Sends bytes.
    public func send(_ bytes: [UInt8]) async throws {
        guard let channel = channel.withLock({ $0 }) else { return }
        try await channel.writeAndFlush(channel.allocator.buffer(bytes: bytes)).get()
    }

    /// Sends text.
    public func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    /// Sends an HTTP request with keep-alive.
    public func sendRequest(_ method: String, _ path: String, headers: [String] = [], body: String? = nil)
        async throws
    {
        var text = "\(method) \(path) HTTP/1.1\r\nhost: localhost\r\n"
        for header in headers { text += header + "\r\n" }
        if let body { text += "content-type: application/json\r\ncontent-length: \(body.utf8.count)\r\n" }
        try await send(text + "\r\n" + (body ?? ""))
    }

    /// The bytes that arrived so far, as text.
    public var text: String { String(decoding: state.withLock { $0.received }, as: UTF8.self) }

    /// How the other side ended the connection; `nil` while it has not.
    public var ending: Ending? { state.withLock { $0.ending } }

    /// Discards the bytes that arrived so far.
    public func forget() { state.withLock { $0.received = [] } }

    /// Waits until the bytes that arrived contain a text, and returns all of them.
    @discardableResult
    public func receive(
        until part: String, timeout: Duration = .seconds(10), isolation: isolated (any Actor)? = #isolation
    ) async throws -> String {
        let found = try await changes.wait(timeout: timeout) { () -> String? in
            let text = self.text
            return text.contains(part) ? text : nil
        }
        guard let found else {
            throw WaitTimeout(what: "'\(part)' arrives", timeout: timeout, detail: "what arrived is '\(text)'")
        }
        return found
    }

    /// Waits until the other side ends the connection, and returns how.
    public func waitForEnding(timeout: Duration = .seconds(10), isolation: isolated (any Actor)? = #isolation)
        async throws -> Ending
    {
        guard let ending = try await changes.wait(timeout: timeout, { self.ending }) else {
            throw WaitTimeout(
                what: "the other side ends the connection", timeout: timeout, detail: "what arrived is '\(text)'")
        }
        return ending
    }

    /// Ends this side of the connection and keeps the other one open.
    public func finishSending() async throws {
        try await channel.withLock { $0 }?.close(mode: .output).get()
    }

    /// Closes the connection.
    public func close() async {
        try? await channel.withLock { $0 }?.close().get()
    }

    private final class Receiver: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        private let connection: RawConnection

        init(_ connection: RawConnection) { self.connection = connection }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = Array(unwrapInboundIn(data).readableBytesView)
            connection.state.withLock { $0.received += bytes }
            connection.changes.notify()
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case ChannelEvent.inputClosed? = event as? ChannelEvent { end(.closed) }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            end(.reset)
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { end(.closed) }

        private func end(_ ending: Ending) {
            connection.state.withLock { state in if state.ending == nil { state.ending = ending } }
            connection.changes.notify()
        }
    }
}

/// The parts of an `http://` URL.
struct HTTPTarget: Sendable, Hashable {
    /// The URL does not name a server for plain text.
    struct Unusable: Error, CustomStringConvertible {
        let url: String
        var description: String { "'\(url)' should be an http:// URL with a host" }
    }

    let host: String
    let port: Int
    /// The path, without a trailing slash.
    let path: String

    init(_ url: String) throws(Unusable) {
        guard url.hasPrefix("http://") else { throw Unusable(url: url) }
        let rest = url.dropFirst("http://".count)
        let authority = rest.prefix { $0 != "/" }
        let colon = authority.lastIndex(of: ":")
        let host = colon.map { authority[..<$0] } ?? authority
        guard !host.isEmpty, let port = colon.map({ Int(authority[authority.index(after: $0)...]) }) ?? 80 else {
            throw Unusable(url: url)
        }
        var path = rest.dropFirst(authority.count)
        while path.hasSuffix("/") { path = path.dropLast() }
        self.host = String(host)
        self.port = port
        self.path = String(path)
    }
}

extension RawConnection {
    /// Whether a Unix socket accepts connections.
    static func accepts(unixSocket path: String) async -> Bool {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connectTimeout(.seconds(30))
        guard let channel = try? await bootstrap.connect(unixDomainSocketPath: path).get() else { return false }
        try? await channel.close().get()
        return true
    }
}
