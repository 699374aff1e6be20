internal import PrefectJSON

/// All cleanups that this worker currently holds, over all connections. It tracks the handler of each cleanup, the end
/// of its lease, and the operations to send to the server. A value without I/O; times are by the clock of this machine.
struct CleanupLeases: Sendable {
    enum Event: Sendable {
        /// A connection has become healthy. With a limit of 0, it carries no cleanups.
        case connected(limit: Int)
        case disconnected
        case message(CleanupMessage, leaseExpires: Timestamp)
        case result(CleanupResult, leaseExpires: Timestamp?)
        /// A handler has returned, possibly after its cancellation.
        case handled(reservation: Secret, CleanupVerdict)
        /// The time ``deadline`` has come.
        case tick
    }

    enum Action: Sendable, Hashable {
        case start(CleanupMessage)
        case cancel(reservation: Secret)
        case send(CleanupOperation)
    }

    /// Time limits in seconds, and the limit of attempts.
    struct Timing: Sendable {
        /// The time before the end of a lease at which it is renewed.
        var renewal = 5.0
        /// The longest wait for a result.
        var result = 30.0
        /// The pause before an operation is retried.
        var pause = 1.0
        /// The maximum number of attempts to send an operation.
        var attempts = 3
    }

    private struct Delivery {
        let message: CleanupMessage
        var leaseExpires: Timestamp
        var handler: Handler
        var operation: Operation?
        /// Whether the renewal of the lease has been given up.
        var isLastLease = false
    }

    private enum Handler {
        case running
        /// The handler has been cancelled, but has not returned yet.
        case ending
        case gone
    }

    private struct Operation {
        let kind: CleanupOperation.Kind
        var attempts = 0
        var step: Step

        enum Step {
            /// The operation can be sent as soon as a connection for it exists.
            case ready
            case sent(frameID: String, until: Timestamp)
            case pausing(until: Timestamp)
        }
    }

    private let timing: Timing
    private let kinds: Set<String>
    /// The limit of the current connection; `nil` without a connection.
    private var limit: Int?
    private var deliveries: [Secret: Delivery] = [:]
    /// The keys of `deliveries`, in the order of arrival.
    private var order: [Secret] = []

    init(kinds: [String], timing: Timing = Timing()) {
        self.kinds = Set(kinds)
        self.timing = timing
    }

    /// The latest time for the next ``Event/tick``; `nil` when nothing is due.
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

    /// The number of handlers that have not returned.
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
            // The result of a renewal that is in flight no longer matters.
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
                // The message no longer belongs to this worker.
                abandon(&delivery, &actions)
            }
        } else {
            // The message no longer belongs to this worker, whatever the status is.
            delivery.operation = nil
        }
        deliveries[token] = delivery
    }

    /// Performs the due steps of one delivery, and removes the delivery when nothing more is to be done.
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
                // The lease has ended, so the server delivers the message again.
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

    /// The operation to continue with after a lost connection. It is unknown whether a sent operation arrived, so it
    /// becomes ready again; `nil` after the last attempt.
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
