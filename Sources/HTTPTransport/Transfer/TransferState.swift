/// Where one transfer stands, and when it is out of time. A value without I/O: what happens goes in as events, what
/// is to be done comes out as actions.
struct TransferState: Sendable {
    typealias Instant = ContinuousClock.Instant

    enum Event {
        /// The connection is ready and the request goes out. Comes again when libcurl repeats a request whose
        /// reused connection turned out to be dead.
        case connectionReady
        /// This many bytes of the request's body have gone out so far.
        case uploaded(Int64)
        /// A line or a portion arrived.
        case received
        /// A 1xx head is complete; the real one is still to come.
        case interimHead
        case head(HTTPResponse.Head)
        /// The reader has enough for now.
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
    /// Sticky: once a connection was ready, part of the request may be at the server.
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

    /// When `clock` should come at the latest.
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
            let limit = deadlines.whole.map { " within \($0.inSeconds)" } ?? " in time"
            return [.fail(.wholeTimeout, "the request was not finished" + limit)]
        }
        return []
    }

    /// When the stage is over at the latest. Looked at in each turn of the loop for each transfer there is.
    private var stageDeadline: Instant? {
        switch phase {
        case .connecting(let since): deadlines.connect.map { since.advanced(by: $0) }
        case .awaitingAnswer(let since): deadlines.firstByte.map { since.advanced(by: $0) }
        case .receiving(let last): deadlines.idle.map { last.advanced(by: $0) }
        case .heldBack, .ended: nil
        }
    }

    /// What it means when it takes longer.
    private var stageFailure: (TransportError.Kind, String)? {
        switch phase {
        case .connecting:
            deadlines.connect.map { (.connectTimeout, "no connection within \($0.inSeconds)") }
        case .awaitingAnswer:
            deadlines.firstByte.map {
                (.firstByteTimeout, "the server did not begin to answer within \($0.inSeconds)")
            }
        case .receiving: deadlines.idle.map { (.idleTimeout, "the answer stopped for \($0.inSeconds)") }
        case .heldBack, .ended: nil
        }
    }
}

extension Duration {
    /// "60 s", "0.25 s".
    var inSeconds: String {
        let (seconds, attoseconds) = components
        let milliseconds = attoseconds / 1_000_000_000_000_000
        if milliseconds == 0 { return "\(seconds) s" }
        var fraction = String(1000 + milliseconds).dropFirst()
        while fraction.last == "0" { fraction = fraction.dropLast() }
        return "\(seconds).\(fraction) s"
    }

    /// Rounded up, within what libcurl's `long` milliseconds and `poll` can hold; never negative.
    var inMilliseconds: Int {
        let (seconds, attoseconds) = components
        if seconds < 0 || attoseconds < 0 { return 0 }
        if seconds >= 2_000_000 { return 2_000_000_000 }
        return Int(seconds) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
