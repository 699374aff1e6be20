/// The state machine of one transfer, including its deadlines. It is a value without I/O: it takes events and returns
/// actions.
struct TransferState: Sendable {
    typealias Instant = ContinuousClock.Instant

    enum Event {
        /// The connection is ready and the request is sent. The event repeats when libcurl repeats a request whose
        /// reused connection turned out to be dead.
        case connectionReady
        /// The total number of bytes of the request's body that have been sent.
        case uploaded(Int64)
        /// A line or a portion arrived.
        case received
        /// A 1xx head is complete. The final head is still to come.
        case interimHead
        case head(HTTPResponse.Head)
        /// The reader's buffer is full.
        case heldBack
        case released
        /// Time passed.
        case clock
        case succeeded
        case failed(TransportError.Kind, String)
    }

    enum Action: Equatable {
        case deliver(HTTPResponse.Head)
        case complete
        case fail(TransportError.Kind, String)
    }

    private enum Phase {
        case connecting(since: Instant)
        case awaitingAnswer(since: Instant)
        case receiving(last: Instant)
        case heldBack
        case ended
    }

    private var phase: Phase
    private let deadlines: Deadlines
    private let wholeDeadline: Instant?
    private var hasHead = false
    private var uploadedBytes: Int64 = 0
    /// Stays true once a connection was ready, because part of the request may have reached the server.
    private(set) var requestMayHaveBeenSent = false
    private var requestWasRepeated = false

    init(deadlines: Deadlines, wholeDeadline: Instant?, startedAt now: Instant) {
        self.deadlines = deadlines
        self.wholeDeadline = wholeDeadline
        phase = .connecting(since: now)
    }

    var hasEnded: Bool {
        if case .ended = phase { true } else { false }
    }

    /// The latest time at which the `clock` event is due.
    var nextDeadline: Instant? {
        if hasEnded { return nil }
        guard let stage = stageDeadline else { return wholeDeadline }
        return wholeDeadline.map { min($0, stage) } ?? stage
    }

    mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        if hasEnded { return [] }
        switch event {
        case .connectionReady:
            requestWasRepeated = requestMayHaveBeenSent
            requestMayHaveBeenSent = true
            phase = .awaitingAnswer(since: now)
        case .uploaded(let total):
            if case .awaitingAnswer = phase, total > uploadedBytes {
                phase = .awaitingAnswer(since: now)
            }
            uploadedBytes = total
        case .received:
            phase = .receiving(last: now)
        case .interimHead:
            phase = .awaitingAnswer(since: now)
        case .head(var head):
            head.requestWasRepeated = requestWasRepeated
            hasHead = true
            phase = .receiving(last: now)
            return [.deliver(head)]
        case .heldBack:
            phase = .heldBack
        case .released:
            if case .heldBack = phase { phase = .receiving(last: now) }
        case .clock:
            return expire(at: now)
        case .succeeded:
            phase = .ended
            return [hasHead ? .complete : .fail(.protocolViolation, "the answer has no head")]
        case .failed(let kind, let cause):
            phase = .ended
            return [.fail(kind, cause)]
        }
        return []
    }

    private mutating func expire(at now: Instant) -> [Action] {
        if let stage = stageDeadline, stage <= now, let (kind, cause) = stageFailure {
            phase = .ended
            return [.fail(kind, cause)]
        }
        if let wholeDeadline, wholeDeadline <= now {
            phase = .ended
            let limit = deadlines.whole.map { " within \($0.secondsText)" } ?? " in time"
            return [.fail(.wholeTimeout, "the request was not finished" + limit)]
        }
        return []
    }

    /// The deadline of the current stage. The loop reads it for every transfer in every turn.
    private var stageDeadline: Instant? {
        switch phase {
        case .connecting(let since): deadlines.connect.map { since.advanced(by: $0) }
        case .awaitingAnswer(let since): deadlines.firstByte.map { since.advanced(by: $0) }
        case .receiving(let last): deadlines.idle.map { last.advanced(by: $0) }
        case .heldBack, .ended: nil
        }
    }

    /// The failure when the current stage exceeds its deadline.
    private var stageFailure: (TransportError.Kind, String)? {
        switch phase {
        case .connecting:
            deadlines.connect.map { (.connectTimeout, "no connection within \($0.secondsText)") }
        case .awaitingAnswer:
            deadlines.firstByte.map {
                (.firstByteTimeout, "the server did not begin to answer within \($0.secondsText)")
            }
        case .receiving: deadlines.idle.map { (.idleTimeout, "the server sent no more data within \($0.secondsText)") }
        case .heldBack, .ended: nil
        }
    }
}
