package import HTTPTransport

/// An open WebSocket (RFC 6455), made by `HTTPTransport.webSocket`.
///
/// Every failure is a `WebSocketError`. Several tasks may use it at once; messages of one task are sent in its order.
/// Pings of the server are answered automatically. A WebSocket that is released closes with code 1001, without waiting
/// for the server. It keeps its transport alive until then.
package final class WebSocket: Sendable {
    /// The URL without user, password and query.
    package let url: String
    private let channel: SocketChannel
    private let connection: ConnectionHandle<SocketConnection>

    /// One complete message.
    package typealias Message = WebSocketMessage
    /// The reason for closing a WebSocket.
    package typealias CloseCode = WebSocketCloseCode

    init(url: String, connection: ConnectionHandle<SocketConnection>) {
        self.url = url
        self.connection = connection
        channel = SocketChannel(url: url)
    }

    deinit {
        connection.perform { $0.abandon() }
    }

    /// The subprotocol that the server chose; nil when none was offered.
    package var subprotocol: String? { channel.opening.subprotocol }

    /// The header fields of the server's handshake response.
    package var headers: HTTPHeaders { channel.opening.headers }

    func open(_ plan: SocketPlan) async throws(WebSocketError) {
        do throws(WebSocketError) {
            try await wait { [connection, channel] ticket in
                connection.open(plan.connection) { bytes in
                    // The caller may have stopped waiting while this work was in the transport's mailbox.
                    guard channel.isAwaited(ticket) else { return nil }
                    return SocketConnection(plan, opening: ticket, bytes: bytes, channel: channel)
                }
            } onCancel: { [connection] _ in
                connection.perform { $0.abandon() }
            }
        } catch {
            throw channel.end(error.kind)
        }
    }

    /// Sends a message and returns when the connection has taken all of it. It waits while the server does not read. A
    /// message that is cancelled before that is not sent, unless it has begun; then its rest follows.
    package func send(_ message: Message) async throws(WebSocketError) {
        try await wait { [connection] ticket in
            connection.perform { $0.send(message, ticket: ticket) }
        } onCancel: { [connection] ticket in
            connection.perform { $0.withdraw(ticket) }
        }
    }

    /// Waits for the next message and returns it. At the end, after all earlier messages, it throws `closed`,
    /// `violation` or `lost`.
    ///
    /// When 256 KiB or 128 messages wait here, nothing is read from the server until they are received. Meanwhile its
    /// pings are not answered.
    package func receive() async throws(WebSocketError) -> Message {
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
                // The cancellation handler may have run before the receiver was registered.
                if Task.isCancelled { channel.cancel(ticket) }
            }
        } onCancel: {
            channel.cancel(ticket)
        }
        return try result.get()
    }

    /// Sends a ping and returns when the server has answered it. By then the server has received every message whose
    /// `send` had returned. Without an answer, the WebSocket is lost after `pongTimeout`.
    package func ping() async throws(WebSocketError) {
        try await wait { [connection] ticket in
            connection.perform { $0.ping(ticket: ticket) }
        }
    }

    /// Closes the WebSocket and returns when the server has answered, or after `closeTimeout`. Messages that arrive
    /// meanwhile are dropped, and tasks that wait to send fail. Does nothing when the WebSocket has already ended. A
    /// cancelled task does not wait for the answer.
    ///
    /// A code that must not be sent (RFC 6455, 7.4) is replaced by 1000. A reason is cut after 123 bytes of UTF-8.
    package func close(code: CloseCode = .normal, reason: String = "") async {
        let code = code.isAllowedOnTheWire ? code : .normal
        let begin: @Sendable (SocketConnection) -> Void = { $0.close(code, reason: reason) }
        // In a cancelled task, the cancellation handler would run before the close.
        if Task.isCancelled { connection.perform(begin) }
        // The wait throws the WebSocket's end as an error, which only a receiver needs.
        try? await wait { [connection] _ in
            connection.perform(begin)
        } onCancel: { [connection] _ in
            connection.perform { $0.leave(.cancelled) }
        }
    }

    private func release() {
        connection.perform { $0.release() }
    }

    /// Hands work to the connection, and waits until the work resolves the ticket or the WebSocket ends. `work` returns
    /// false when the transport was shut down.
    private func wait(
        for work: (_ ticket: UInt64) -> Bool,
        onCancel withdrawal: @escaping @Sendable (_ ticket: UInt64) -> Void = { _ in }
    ) async throws(WebSocketError) {
        let ticket = channel.newTicket()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                channel.wait(ticket, waiter)
                // The cancellation handler may have run before the waiter was registered.
                if Task.isCancelled { return cancel(ticket, withdrawal) }
                if !work(ticket) { channel.end(.shutDown) }
            }
        } onCancel: {
            cancel(ticket, withdrawal)
        }
        try result.get()
    }

    private func cancel(_ ticket: UInt64, _ withdrawal: (UInt64) -> Void) {
        channel.cancel(ticket)
        withdrawal(ticket)
    }
}
