import HTTPTransport
import Synchronization

/// Connects the tasks that use a WebSocket with the loop's thread. It holds the received messages and the waiting
/// tasks.
///
/// Every waiting task has a ticket. The first end wins and wakes all waiting tasks. Messages that arrived before it can
/// still be received.
final class SocketChannel: Sendable {
    /// The subprotocol and header fields that the server agreed with.
    struct Opening: Sendable {
        var subprotocol: String?
        var headers: HTTPHeaders = [:]
    }

    /// The result of taking a message from the channel.
    enum Taken {
        case message(WebSocketMessage, connectionWaits: Bool)
        case end(WebSocketError)
        case nothingYet
    }

    typealias Waiter = CheckedContinuation<Result<Void, WebSocketError>, Never>
    typealias Receiver = CheckedContinuation<Result<WebSocketMessage, WebSocketError>, Never>

    /// Reading stops when this many bytes, or this many messages, wait to be received.
    static let mostBytes = 256 * 1024
    static let mostMessages = 128

    fileprivate struct State {
        var lastTicket: UInt64 = 0
        var opening = Opening()
        var waiters: [UInt64: Waiter] = [:]
        var receivers: [(ticket: UInt64, receiver: Receiver)] = []
        var inbox = Inbox()
        var isHeldBack = false
        var ending: WebSocketError?
    }

    private let url: String
    private let state = Mutex(State())

    init(url: String) {
        self.url = url
    }

    var opening: Opening { state.withLock { $0.opening } }

    // MARK: The loop's side

    func open(_ opening: Opening, ticket: UInt64) {
        state.withLock { $0.opening = opening }
        resolve(ticket)
    }

    /// Whether a task still waits under this ticket.
    func isAwaited(_ ticket: UInt64) -> Bool {
        state.withLock { $0.waiters[ticket] != nil }
    }

    func resolve(_ ticket: UInt64) {
        state.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume(returning: .success(()))
    }

    /// Hands over a message. Returns false when reading must stop, until a receiver finds that the connection waits.
    func deliver(_ message: WebSocketMessage) -> Bool {
        let (receiver, hasRoom) = state.withLock { state -> (Receiver?, Bool) in
            if state.ending != nil { return (nil, true) }
            if !state.receivers.isEmpty { return (state.receivers.removeFirst().receiver, true) }
            state.inbox.add(message)
            if state.inbox.isFull { state.isHeldBack = true }
            return (nil, !state.isHeldBack)
        }
        receiver?.resume(returning: .success(message))
        return hasRoom
    }

    /// Ends the channel unless it has already ended, and returns the error it ended with.
    @discardableResult
    func end(_ kind: WebSocketError.Kind) -> WebSocketError {
        let error = WebSocketError(kind: kind, url: url)
        let (first, waiters, receivers) = state.withLock { state in
            guard let ending = state.ending else {
                state.ending = error
                defer { (state.waiters, state.receivers) = ([:], []) }
                return (error, Array(state.waiters.values), state.receivers.map(\.receiver))
            }
            return (ending, [], [])
        }
        for waiter in waiters { waiter.resume(returning: .failure(error)) }
        for receiver in receivers { receiver.resume(returning: .failure(error)) }
        return first
    }

    // MARK: The tasks' side

    func newTicket() -> UInt64 {
        state.withLock { state in
            state.lastTicket += 1
            return state.lastTicket
        }
    }

    /// Resumes the continuation when the ticket is resolved, or with the error when the channel ends.
    func wait(_ ticket: UInt64, _ waiter: Waiter) {
        let ending = state.withLock { state in
            if state.ending == nil { state.waiters[ticket] = waiter }
            return state.ending
        }
        if let ending { waiter.resume(returning: .failure(ending)) }
    }

    /// Takes the next message or the end, without waiting.
    func take() -> Taken {
        state.withLock { $0.take() }
    }

    /// Resumes the continuation with the next message or the end. Returns true when the connection waits to be read
    /// again.
    func awaitMessage(_ ticket: UInt64, _ receiver: Receiver) -> Bool {
        let taken = state.withLock { state in
            let taken = state.take()
            if case .nothingYet = taken { state.receivers.append((ticket, receiver)) }
            return taken
        }
        switch taken {
        case .message(let message, let connectionWaits):
            receiver.resume(returning: .success(message))
            return connectionWaits
        case .end(let error):
            receiver.resume(returning: .failure(error))
        case .nothingYet:
            break
        }
        return false
    }

    /// Wakes the task that waits under this ticket, if there is one, with `cancelled`.
    func cancel(_ ticket: UInt64) {
        let error = WebSocketError(kind: .cancelled, url: url)
        let (waiter, receiver) = state.withLock { state -> (Waiter?, Receiver?) in
            let index = state.receivers.firstIndex { $0.ticket == ticket }
            return (state.waiters.removeValue(forKey: ticket), index.map { state.receivers.remove(at: $0).receiver })
        }
        waiter?.resume(returning: .failure(error))
        receiver?.resume(returning: .failure(error))
    }
}

extension SocketChannel.State {
    fileprivate mutating func take() -> SocketChannel.Taken {
        guard let message = inbox.next() else { return ending.map { .end($0) } ?? .nothingYet }
        // The connection resumes only when the inbox is half empty, so that it is not woken for every message.
        guard isHeldBack, inbox.isHalfEmpty else { return .message(message, connectionWaits: false) }
        isHeldBack = false
        return .message(message, connectionWaits: ending == nil)
    }
}

/// Messages in the order in which they arrived.
private struct Inbox {
    private var messages: [WebSocketMessage?] = []
    private var first = 0
    private var bytes = 0

    private var count: Int { messages.count - first }
    var isFull: Bool { bytes >= SocketChannel.mostBytes || count >= SocketChannel.mostMessages }
    var isHalfEmpty: Bool { bytes <= SocketChannel.mostBytes / 2 && count <= SocketChannel.mostMessages / 2 }

    mutating func add(_ message: WebSocketMessage) {
        messages.append(message)
        bytes += message.size
    }

    mutating func next() -> WebSocketMessage? {
        guard first < messages.count, let message = messages[first] else { return nil }
        messages[first] = nil
        first += 1
        bytes -= message.size
        if first == messages.count { (messages, first) = ([], 0) }
        return message
    }
}

extension WebSocketMessage {
    fileprivate var size: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .binary(let bytes): bytes.count
        }
    }
}
