internal import JSON

/// All cleanups that are this worker's for the moment, over all connections: who works on what, until when, and what is
/// still to be said to the server. A value without I/O; times are by the clock of this machine.
struct CleanupDesk: Sendable {
    enum Event: Sendable {
        /// A connection is healthy. With a limit of 0 it takes no cleanups.
        case connected(limit: Int)
        case disconnected
        case message(CleanupMessage, leaseExpires: Timestamp)
        case result(CleanupResult, leaseExpires: Timestamp?)
        /// A handler has returned, a cancelled one too.
        case handled(reservation: Secret, CleanupVerdict)
        /// ``deadline`` has come.
        case tick
    }

    enum Action: Sendable, Hashable {
        case start(CleanupMessage)
        case cancel(reservation: Secret)
        case send(CleanupOperation)
    }

    /// How patient the desk is.
    struct Timing: Sendable {
        /// How long before its end a lease is renewed.
        var renewal = 5.0
        /// How long a result is waited for.
        var result = 30.0
        /// The pause before an operation is tried again.
        var pause = 1.0
        /// How often an operation is sent at most.
        var attempts = 3
    }

    private struct Delivery {
        let message: CleanupMessage
        var leaseExpires: Timestamp
        var handler: Handler
        var operation: Operation?
        /// Renewing was given up.
        var isLastLease = false
    }

    private enum Handler {
        case running
        /// It has been cancelled, but is there.
        case ending
        case gone
    }

    private struct Operation {
        let kind: CleanupOperation.Kind
        var attempts = 0
        var step: Step

        enum Step {
            /// To be sent as soon as there is a connection for it.
            case ready
            case sent(frameID: String, until: Timestamp)
            case pausing(until: Timestamp)
        }
    }

    private let timing: Timing
    private let kinds: Set<String>
    /// `nil` without a connection.
    private var limit: Int?
    private var deliveries: [Secret: Delivery] = [:]
    /// In the order of their coming.
    private var order: [Secret] = []

    init(kinds: [String], timing: Timing = Timing()) {
        self.kinds = Set(kinds)
        self.timing = timing
    }

    /// When to tick at the latest; `nil` when there is nothing to wait for.
    var deadline: Timestamp? {
        deliveries.values.flatMap { delivery -> [Timestamp] in
            var times: [Timestamp] = []
            switch delivery.operation?.step {
            case .ready?: times.append(delivery.leaseExpires)
            case .sent(_, let until)?, .pausing(let until)?: times.append(until)
            case nil: break
            }
            if case .running = delivery.handler {
                times.append(delivery.leaseExpires)
                if delivery.operation == nil, !delivery.isLastLease { times.append(renewalTime(delivery)) }
            }
            return times
        }.min()
    }

    /// How many handlers there are.
    var handlerCount: Int {
        deliveries.values.count { if case .gone = $0.handler { false } else { true } }
    }

    mutating func handle(_ event: Event, now: Timestamp = .now) -> [Action] {
        var actions: [Action] = []
        switch event {
        case .connected(let limit):
            self.limit = limit
            if limit == 0 { abandonAll(&actions) }
        case .disconnected:
            limit = nil
            for token in order {
                let operation = interrupted(deliveries[token]?.operation)
                deliveries[token]?.operation = operation
            }
        case .message(let message, let leaseExpires):
            take(message, leaseExpires: leaseExpires, now: now, &actions)
        case .result(let result, let leaseExpires):
            conclude(result, leaseExpires: leaseExpires, now: now, &actions)
        case .handled(let token, let verdict): finish(token, verdict)
        case .tick: break
        }
        for token in order { advance(token, now: now, &actions) }
        order.removeAll { deliveries[$0] == nil }
        return actions
    }

    private mutating func take(
        _ message: CleanupMessage, leaseExpires: Timestamp, now: Timestamp, _ actions: inout [Action]
    ) {
        guard deliveries[message.reservation] == nil, leaseExpires > now else { return }
        var delivery = Delivery(message: message, leaseExpires: leaseExpires, handler: .gone)
        if let reason = refusal(of: message) {
            delivery.operation = Operation(kind: .release(reason: reason), step: .ready)
        } else {
            delivery.handler = .running
            actions.append(.start(message))
        }
        deliveries[message.reservation] = delivery
        order.append(message.reservation)
    }

    private func refusal(of message: CleanupMessage) -> String? {
        if !kinds.contains(message.kind) { return CleanupVerdict.Reason.unsupportedKind }
        guard let limit, limit > 0 else { return CleanupVerdict.Reason.unavailable }
        return handlerCount >= limit ? CleanupVerdict.Reason.noCapacity : nil
    }

    private mutating func finish(_ token: Secret, _ verdict: CleanupVerdict) {
        guard var delivery = deliveries[token] else { return }
        if case .running = delivery.handler {
            delivery.handler = .gone
            let kind: CleanupOperation.Kind =
                switch verdict {
                case .done: .ack
                case .release(let reason): .release(reason: reason)
                }
            // A renewal that is on its way does not matter any more.
            delivery.operation = Operation(kind: kind, step: .ready)
            deliveries[token] = delivery
        } else {
            deliveries[token] = nil
        }
    }

    private mutating func conclude(
        _ result: CleanupResult, leaseExpires: Timestamp?, now: Timestamp, _ actions: inout [Action]
    ) {
        let found = deliveries.first { _, delivery in
            if case .sent(let id, _)? = delivery.operation?.step { id == result.frameID } else { false }
        }
        guard let (token, _) = found, var delivery = deliveries[token], let operation = delivery.operation else {
            return
        }
        if result.status == "error" {
            delivery.operation = retried(operation, now: now)
            if delivery.operation == nil { given(up: operation, &delivery) }
        } else if case .renew = operation.kind {
            delivery.operation = nil
            if let leaseExpires {
                delivery.leaseExpires = leaseExpires
            } else {
                // It is somebody else's by now.
                abandon(&delivery, &actions)
            }
        } else {
            // Whatever the server says about it: it is not ours any more.
            delivery.operation = nil
        }
        deliveries[token] = delivery
    }

    /// Does what is due for one delivery, and forgets it when nothing is left.
    private mutating func advance(_ token: Secret, now: Timestamp, _ actions: inout [Action]) {
        guard var delivery = deliveries[token] else { return }
        switch delivery.operation?.step {
        case .sent(_, let until)? where until <= now:
            if let operation = delivery.operation {
                delivery.operation = retried(operation, now: now)
                if delivery.operation == nil { given(up: operation, &delivery) }
            }
        case .pausing(let until)? where until <= now: delivery.operation?.step = .ready
        default: break
        }
        if case .running = delivery.handler {
            if delivery.leaseExpires <= now {
                abandon(&delivery, &actions)
            } else if delivery.operation == nil, !delivery.isLastLease, renewalTime(delivery) <= now {
                delivery.operation = Operation(kind: .renew, step: .ready)
            }
        }
        if case .ready? = delivery.operation?.step {
            if let limit, limit > 0 {
                send(&delivery, now: now, &actions)
            } else if delivery.leaseExpires <= now {
                // The server has taken it back; it will be delivered again.
                delivery.operation = nil
            }
        }
        if case .gone = delivery.handler, delivery.operation == nil {
            deliveries[token] = nil
        } else {
            deliveries[token] = delivery
        }
    }

    private func send(_ delivery: inout Delivery, now: Timestamp, _ actions: inout [Action]) {
        guard var operation = delivery.operation else { return }
        let id = UUIDv7.make(at: now)
        operation.attempts += 1
        operation.step = .sent(frameID: id, until: now.adding(seconds: timing.result))
        delivery.operation = operation
        actions.append(
            .send(
                CleanupOperation(
                    kind: operation.kind, messageID: delivery.message.id, reservation: delivery.message.reservation,
                    frameID: id)))
    }

    private func retried(_ operation: Operation, now: Timestamp) -> Operation? {
        guard operation.attempts < timing.attempts else { return nil }
        var operation = operation
        operation.step = .pausing(until: now.adding(seconds: timing.pause))
        return operation
    }

    /// After the connection was lost it is not known whether what was sent arrived.
    private func interrupted(_ operation: Operation?) -> Operation? {
        guard var operation, case .sent = operation.step else { return operation }
        operation.step = .ready
        return operation.attempts < timing.attempts ? operation : nil
    }

    private func given(up operation: Operation, _ delivery: inout Delivery) {
        if case .renew = operation.kind { delivery.isLastLease = true }
    }

    private func abandon(_ delivery: inout Delivery, _ actions: inout [Action]) {
        delivery.operation = nil
        guard case .running = delivery.handler else { return }
        delivery.handler = .ending
        actions.append(.cancel(reservation: delivery.message.reservation))
    }

    private mutating func abandonAll(_ actions: inout [Action]) {
        for token in order {
            guard var delivery = deliveries[token] else { continue }
            abandon(&delivery, &actions)
            deliveries[token] = delivery
        }
    }

    private func renewalTime(_ delivery: Delivery) -> Timestamp {
        delivery.leaseExpires.adding(seconds: -timing.renewal)
    }
}
