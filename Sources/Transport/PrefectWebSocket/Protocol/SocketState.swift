import HTTPTransport

/// The state machine of an open WebSocket: messages, pings and pongs, the closing handshake and the end. It is a value
/// without I/O or clock.
struct SocketState: Sendable {
    typealias Instant = ContinuousClock.Instant

    struct Limits: Sendable {
        var maximumMessageBytes: Int
        var pingInterval: Duration?
        var pongTimeout: Duration
        var closeTimeout: Duration
    }

    enum Event {
        case received([UInt8])
        /// The server ended its side of the connection.
        case endOfStream
        /// The connection took bytes that were written.
        case progress
        /// The user asks for proof that the server is alive and has received everything written before.
        case ping(ticket: UInt64)
        case close(WebSocketCloseCode, reason: String)
        /// Too many messages wait to be received. Nothing is read until `released`.
        case heldBack
        case released
        case clock
    }

    enum Action: Equatable {
        case deliver(WebSocketMessage)
        case writePing([UInt8])
        case writePong([UInt8])
        /// Writes the close frame, which is the last frame.
        case writeClose([UInt8])
        case answered(ticket: UInt64)
        /// Ends the WebSocket for the user.
        case end(WebSocketError.Kind)
        /// The connection is no longer needed.
        case drop
    }

    private enum Phase: Equatable {
        case open
        /// The close frame is sent or being sent, and the server's close frame is awaited.
        case closing(until: Instant)
        /// Only the server's end of the connection is awaited. Ending the connection from this side first could destroy
        /// the close frame in transit.
        case finishing(until: Instant)
        case over
    }

    private struct Ping {
        var payload: [UInt8]
        var ticket: UInt64?
    }

    private let limits: Limits
    private var assembler: MessageAssembler
    private var phase = Phase.open
    private var isHeldBack = false
    private var nextPing: Instant?
    private var pings: [Ping] = []
    private var pingCount: UInt32 = 0
    /// The time of the last ping, or of the last activity on the connection.
    private var lastActivity: Instant

    /// The longest wait for the server to end the connection after both close frames.
    private static let finishTimeout = Duration.seconds(2)

    init(_ limits: Limits, openedAt now: Instant) {
        self.limits = limits
        assembler = MessageAssembler(maximumMessageBytes: limits.maximumMessageBytes)
        nextPing = limits.pingInterval.map { now.advanced(by: $0) }
        lastActivity = now
    }

    var isOpen: Bool { phase == .open }

    /// The latest time at which the `clock` event is due.
    var nextDeadline: Instant? {
        switch phase {
        case .open where isHeldBack, .over: nil
        case .open: [nextPing, pongDeadline].compactMap { $0 }.min()
        case .closing(let until), .finishing(let until): until
        }
    }

    private var pongDeadline: Instant? {
        pings.isEmpty ? nil : lastActivity.advanced(by: limits.pongTimeout)
    }

    mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        switch event {
        case .received(let bytes): receive(bytes, at: now)
        case .endOfStream: endOfStream()
        case .progress: note(now)
        case .ping(let ticket): isOpen ? [ping(ticket: ticket, at: now)] : []
        case .close(let code, let reason): close(code, reason: reason, at: now)
        case .heldBack: hold(true, at: now)
        case .released: hold(false, at: now)
        case .clock: expire(at: now)
        }
    }

    private mutating func note(_ now: Instant) -> [Action] {
        lastActivity = now
        return []
    }

    private mutating func hold(_ isHeldBack: Bool, at now: Instant) -> [Action] {
        self.isHeldBack = isHeldBack
        return note(now)
    }

    // MARK: From the server

    private mutating func receive(_ bytes: [UInt8], at now: Instant) -> [Action] {
        lastActivity = now
        switch phase {
        case .finishing, .over: return []
        case .open, .closing: return assembler.receive(bytes).flatMap { handle($0, at: now) }
        }
    }

    private mutating func handle(_ event: MessageAssembler.Event, at now: Instant) -> [Action] {
        switch event {
        case .message(let message): return isOpen ? [.deliver(message)] : []
        case .ping(let payload): return [.writePong(payload)]
        case .pong(let payload): return pong(payload, at: now)
        case .close(let code, let reason):
            let isAnswer = !isOpen
            phase = .finishing(until: now.advanced(by: Self.finishTimeout))
            let answer = code == .noStatus ? [] : Frame.closePayload(code, reason: "")
            return (isAnswer ? [] : [.writeClose(answer)]) + [.end(.closed(code: code, reason: reason))]
        case .violation(let violation):
            let isFirst = isOpen
            phase = .finishing(until: now.advanced(by: Self.finishTimeout))
            let end = Action.end(.violation(code: violation.code, cause: violation.cause))
            return (isFirst ? [.writeClose(Frame.closePayload(violation.code, reason: violation.cause))] : []) + [end]
        }
    }

    /// A pong answers its ping and all earlier ones. An unsolicited pong is ignored.
    private mutating func pong(_ payload: [UInt8], at now: Instant) -> [Action] {
        guard let answered = pings.firstIndex(where: { $0.payload == payload }) else { return [] }
        let tickets = pings[...answered].compactMap(\.ticket)
        pings.removeSubrange(...answered)
        nextPing = limits.pingInterval.map { now.advanced(by: $0) }
        return tickets.map { .answered(ticket: $0) }
    }

    private mutating func endOfStream() -> [Action] {
        defer { phase = .over }
        switch phase {
        case .open: return [.end(.lost("the server ended the connection without closing the WebSocket")), .drop]
        case .closing: return [.end(.lost("the server ended the connection without an answer to the close")), .drop]
        case .finishing: return [.drop]
        case .over: return []
        }
    }

    // MARK: From this side

    private mutating func ping(ticket: UInt64?, at now: Instant) -> Action {
        pingCount &+= 1
        let payload = withUnsafeBytes(of: pingCount.bigEndian) { Array($0) }
        pings.append(Ping(payload: payload, ticket: ticket))
        lastActivity = now
        nextPing = nil
        return .writePing(payload)
    }

    private mutating func close(_ code: WebSocketCloseCode, reason: String, at now: Instant) -> [Action] {
        guard isOpen else { return [] }
        phase = .closing(until: now.advanced(by: limits.closeTimeout))
        return [.writeClose(Frame.closePayload(code, reason: reason))]
    }

    private mutating func expire(at now: Instant) -> [Action] {
        guard let deadline = nextDeadline, deadline <= now else { return [] }
        switch phase {
        case .closing:
            phase = .over
            return [
                .end(.lost("the server did not answer the close within \(limits.closeTimeout.secondsText)")), .drop,
            ]
        case .finishing:
            phase = .over
            return [.drop]
        case .open:
            if let pongDeadline, pongDeadline <= now {
                phase = .over
                return [
                    .end(.lost("the server did not answer a ping within \(limits.pongTimeout.secondsText)")), .drop,
                ]
            }
            return [ping(ticket: nil, at: now)]
        case .over:
            return []
        }
    }
}
