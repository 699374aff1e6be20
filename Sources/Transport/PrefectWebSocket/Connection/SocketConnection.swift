import HTTPTransport

/// One WebSocket on the transport's thread. It moves bytes between the connection and the states, and passes the
/// results to the channel.
final class SocketConnection: ConnectionDriver {
    private let bytes: ByteConnection
    private let plan: SocketPlan
    private let channel: SocketChannel
    private let opening: UInt64
    private var answer: UpgradeAnswer
    /// The state of the open WebSocket; nil until the server has agreed.
    private var state: SocketState?
    private var outbox = Outbox()
    /// The frame being sent, and the number of its bytes that the connection has taken.
    private var outgoing: (frame: Outbox.Written, sent: Int)?
    private var handshakeMayHaveBeenSent = false
    private var isHeldBack = false
    /// The time since which the connection wants another turn. It is set when there may be data that poll cannot see.
    private var wantsTurn: ContinuousClock.Instant?
    private(set) var isOver = false
    private var generator = SystemRandomNumberGenerator()

    /// The number of reads or writes after which other connections have their turn.
    private static let roundsPerTurn = 16

    /// - Parameter opening: The ticket of the task that waits for the WebSocket to be open.
    init(_ plan: SocketPlan, opening: UInt64, bytes: ByteConnection, channel: SocketChannel) {
        self.plan = plan
        self.opening = opening
        self.bytes = bytes
        self.channel = channel
        answer = UpgradeAnswer(to: plan.upgrade, url: plan.handshakeURL)
    }

    var nextDeadline: ContinuousClock.Instant? {
        if isOver { return nil }
        if let wantsTurn { return wantsTurn }
        return state.map(\.nextDeadline) ?? plan.deadline
    }

    // MARK: From the loop

    func connected() {
        outgoing = (Outbox.Written(bytes: plan.upgrade.bytes), 0)
        turn(.reading)
    }

    func failed(_ failure: ConnectionFailure) {
        fail(failure.kind, failure.cause)
    }

    /// Reads if data may be available, writes pending data, and registers the events to wait for.
    func turn(_ readiness: DescriptorReadiness) {
        wantsTurn = nil
        if readiness.contains(.reading) { read() }
        write()
        watch()
    }

    func checkDeadlines(at now: ContinuousClock.Instant) {
        if wantsTurn != nil { return turn(.reading) }
        guard let deadline = nextDeadline, deadline <= now else { return }
        if state != nil {
            handle(.clock)
            return turn([])
        }
        // A refusal counts even when its body does not end.
        if answer.isRefusal { return conclude(answer.end()) }
        let limit = plan.connectTimeout.map { " within \($0.secondsText)" } ?? " in time"
        fail(.connectTimeout, "the WebSocket was not open" + limit)
    }

    func shutDown() {
        leave(.shutDown)
    }

    // MARK: From the tasks

    func send(_ message: WebSocketMessage, ticket: UInt64) {
        guard state?.isOpen == true, channel.isAwaited(ticket) else { return }
        outbox.add(message, ticket: ticket)
        turn([])
    }

    func withdraw(_ ticket: UInt64) {
        outbox.withdraw(ticket)
    }

    func ping(ticket: UInt64) {
        handle(.ping(ticket: ticket))
        turn([])
    }

    func close(_ code: WebSocketCloseCode, reason: String) {
        handle(.close(code, reason: reason))
        // Messages that were held back until now come before the server's answer.
        turn(.reading)
    }

    /// Called when a receiver has made room for more messages.
    func release() {
        isHeldBack = false
        handle(.released)
        turn(.reading)
    }

    /// Ends the WebSocket without waiting for the server. A close frame is sent if that is possible at once.
    func leave(_ kind: WebSocketError.Kind) {
        handle(.close(.goingAway, reason: ""))
        channel.end(kind)
        write()
        isOver = true
    }

    /// Called when no task uses the WebSocket any more. A closing handshake that has begun has its own deadline.
    func abandon() {
        if state?.isOpen != false { leave(.cancelled) }
    }

    // MARK: Reading

    private func read() {
        for _ in 0..<Self.roundsPerTurn {
            guard !isOver, !(isHeldBack && state?.isOpen == true) else { return }
            switch bytes.read() {
            case .bytes(let bytes): take(bytes)
            case .nothingYet: return
            case .end: endOfStream()
            case .failed(let cause): lose(cause)
            }
        }
        wantsTurn = .now
    }

    private func take(_ bytes: [UInt8]) {
        if state == nil {
            conclude(answer.receive(bytes))
        } else {
            handle(.received(bytes))
        }
    }

    private func conclude(_ outcome: UpgradeAnswer.Outcome) {
        switch outcome {
        case .incomplete:
            break
        case .open(let subprotocol, let headers, let rest):
            state = SocketState(plan.limits, openedAt: .now)
            channel.open(SocketChannel.Opening(subprotocol: subprotocol, headers: headers), ticket: opening)
            if !rest.isEmpty { handle(.received(rest)) }
        case .refused(let refusal):
            end(.refused(refusal))
        case .mismatch(let cause):
            end(.handshake(cause))
        case .malformed(let cause):
            fail(.protocolViolation, cause)
        }
    }

    private func endOfStream() {
        if state != nil { return handle(.endOfStream) }
        if answer.isRefusal { return conclude(answer.end()) }
        fail(.receiveFailed, "the server ended the connection before it answered the handshake")
    }

    /// Ends the WebSocket after the connection broke.
    private func lose(_ cause: String) {
        guard state != nil else { return fail(.receiveFailed, cause) }
        end(.lost(cause))
    }

    // MARK: Writing

    private func write() {
        for _ in 0..<Self.roundsPerTurn where !isOver {
            if outgoing == nil { outgoing = outbox.next(using: &generator).map { ($0, 0) } }
            guard let (frame, sent) = outgoing else { return }
            handshakeMayHaveBeenSent = true
            switch bytes.write(frame.bytes, from: sent) {
            case .taken(let count):
                handle(.progress)
                let total = sent + count
                outgoing = total < frame.bytes.count ? (frame, total) : nil
                if outgoing == nil, let ticket = frame.finishes { channel.resolve(ticket) }
            case .full:
                return
            case .failed(let cause):
                outgoing = nil
                outbox = Outbox()
                // The server may have sent data before it ended the connection, such as the reason.
                read()
                return lose(cause)
            }
        }
    }

    // MARK: Actions

    private func handle(_ event: SocketState.Event) {
        perform(state?.handle(event, at: .now) ?? [])
    }

    private func perform(_ actions: [SocketState.Action]) {
        var hasRoom = true
        for action in actions {
            switch action {
            case .deliver(let message): hasRoom = channel.deliver(message) && hasRoom
            case .writePing(let payload): outbox.addPing(payload)
            case .writePong(let payload): outbox.addPong(payload)
            case .writeClose(let payload): outbox.close(payload)
            case .answered(let ticket): channel.resolve(ticket)
            case .end(let kind): channel.end(kind)
            case .drop: isOver = true
            }
        }
        if !hasRoom {
            isHeldBack = true
            handle(.heldBack)
        }
    }

    private func fail(_ kind: TransportError.Kind, _ cause: String) {
        end(
            .notConnected(
                TransportError(
                    kind: kind, operation: WebSocketError.subject(plan.url), cause: cause,
                    requestMayHaveBeenSent: handshakeMayHaveBeenSent)))
    }

    private func end(_ kind: WebSocketError.Kind) {
        channel.end(kind)
        isOver = true
    }

    private func watch() {
        guard !isOver else { return }
        var wanted: DescriptorReadiness = []
        if !(isHeldBack && state?.isOpen == true) { wanted.insert(.reading) }
        if outgoing != nil || !outbox.isEmpty { wanted.insert(.writing) }
        bytes.watch(for: wanted)
    }
}
