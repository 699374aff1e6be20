/// An open WebSocket (RFC 6455), made by `HTTPTransport.webSocket` or `HTTPTransport.withWebSocket`.
///
/// Everything throws `WebSocketError`. It may be used by several tasks at once; messages of one task go out in its
/// order. Pings of the server are answered by itself. When it is let go it is closed with code 1001 without waiting for
/// the server; it keeps its transport alive until then.
public final class WebSocket: Sendable {
    /// The URL without user, password and query.
    public let url: String
    private let id: UInt64
    private let channel: SocketChannel
    private let loop: EventLoop

    init(id: UInt64, url: String, loop: EventLoop) {
        self.id = id
        self.url = url
        self.loop = loop
        channel = SocketChannel(url: url)
    }

    deinit {
        loop.execute { [id] core in core.withSocket(id) { $0.abandon() } }
    }

    /// The one that the server chose; nil when none was offered.
    public var subprotocol: String? { channel.opening.subprotocol }

    /// The head of the server's answer to the handshake.
    public var headers: HTTPHeaders { channel.opening.headers }

    func open(_ plan: SocketPlan) async throws(WebSocketError) {
        do throws(WebSocketError) {
            try await wait { [id, channel] ticket in
                { core in core.open(plan, id: id, ticket: ticket, channel: channel) }
            } onCancel: { [id] _ in
                { core in core.withSocket(id) { $0.abandon() } }
            }
        } catch {
            throw channel.end(error.kind)
        }
    }

    /// Returns when the connection has taken the whole message, which waits while the server does not read. What is
    /// cancelled before is not sent, but for a message that has begun: its rest follows.
    public func send(_ message: Message) async throws(WebSocketError) {
        try await wait { [id] ticket in
            { core in core.withSocket(id) { $0.send(message, ticket: ticket) } }
        } onCancel: { [id] ticket in
            { core in core.withSocket(id) { $0.withdraw(ticket) } }
        }
    }

    /// The next message. Waits for it; at the end it throws, after all messages that came before: `closed`,
    /// `violation` or `lost`.
    ///
    /// When more than 256 KiB or 128 messages wait here, nothing is read from the server until they are received;
    /// meanwhile its pings get no answer.
    public func receive() async throws(WebSocketError) -> Message {
        if Task.isCancelled { throw WebSocketError(kind: .cancelled, url: url) }
        switch channel.take() {
        case .message(let message, let connectionWaits):
            if connectionWaits { release() }
            return message
        case .end(let error):
            throw error
        case .nothingYet:
            break
        }
        let ticket = channel.newTicket()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { receiver in
                if channel.awaitMessage(ticket, receiver) { release() }
                // The handler may have run when there was nothing to wake.
                if Task.isCancelled { channel.cancel(ticket) }
            }
        } onCancel: {
            channel.cancel(ticket)
        }
        return try result.get()
    }

    /// Sends a ping and returns when it is answered: then the server has received every message whose `send` had
    /// returned. Without an answer the WebSocket is lost after `pongTimeout`.
    public func ping() async throws(WebSocketError) {
        try await wait { [id] ticket in
            { core in core.withSocket(id) { $0.ping(ticket: ticket) } }
        }
    }

    /// Closes, and returns when the server has answered that, or after `closeTimeout`. Messages that come meanwhile
    /// are dropped, and who waits to send fails. Does nothing when it is over. A cancelled task does not wait for the
    /// answer.
    ///
    /// A code that must not be sent (RFC 6455, 7.4) is replaced by 1000; a reason is cut after 123 bytes of UTF-8.
    public func close(code: CloseCode = .normal, reason: String = "") async {
        let code = code.isAllowedOnTheWire ? code : .normal
        let begin: Mailbox.Work = { [id] core in core.withSocket(id) { $0.close(code, reason: reason) } }
        // A cancelled task's handler would come before it.
        if Task.isCancelled { loop.execute(begin) }
        // It ends with what the end is; that is for who receives.
        try? await wait { _ in
            begin
        } onCancel: { [id] _ in
            { core in core.withSocket(id) { $0.leave(.cancelled) } }
        }
    }

    private func release() {
        loop.execute { [id] core in core.withSocket(id) { $0.release() } }
    }

    /// Gives the loop some work, and waits until it resolves the ticket or the WebSocket ends.
    private func wait(
        for work: (_ ticket: UInt64) -> Mailbox.Work,
        onCancel withdrawal: @escaping @Sendable (_ ticket: UInt64) -> Mailbox.Work = { _ in { _ in } }
    ) async throws(WebSocketError) {
        let ticket = channel.newTicket()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                channel.wait(ticket, waiter)
                // The handler may have run when there was nothing to wake.
                if Task.isCancelled { return cancel(ticket, withdrawal) }
                if !loop.execute(work(ticket)) { channel.end(.shutDown) }
            }
        } onCancel: {
            cancel(ticket, withdrawal)
        }
        try result.get()
    }

    private func cancel(_ ticket: UInt64, _ withdrawal: (UInt64) -> Mailbox.Work) {
        channel.cancel(ticket)
        loop.execute(withdrawal(ticket))
    }
}
