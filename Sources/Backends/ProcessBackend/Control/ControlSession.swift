internal import OrderedCollections
internal import PrefectJSON

/// The worker's side of the connection to the process of a flow. The process reports how its run ended, and the worker
/// can request that it cancels the run.
///
/// The process connects to a loopback port and sends `<token>\n`. After that:
/// - The process may negotiate (`00 'P' 'F' version capabilities`); the worker answers in the same format.
/// - The worker may send one intent byte. The process acknowledges it with `a` once its handling of SIGTERM is armed.
/// - The process may send one receipt of the outcome, which the worker acknowledges with `02`.
///
/// The first acknowledged intent or receipt is the only conclusion of the attempt.
struct ControlSession {
    /// An event of the connection.
    enum Event: Hashable {
        case received([UInt8])
        /// The token is valid: the connection belongs to a run.
        case admitted
        case closed
        /// The worker requests that the run is cancelled.
        case cancelRequested
        /// The process did not authenticate, or did not acknowledge, in time.
        case timedOut
    }

    /// An action that the owner of the connection takes.
    enum Action: Hashable {
        /// Looks up the token. The owner then reports ``Event/admitted``, or closes the connection.
        case authenticate(String)
        case send([UInt8])
        case close
        /// The first conclusion of the attempt.
        case conclude(Conclusion)
        /// The process will not acknowledge the request to cancel.
        case cancelUnanswered
    }

    /// The conclusion of an attempt.
    enum Conclusion: Hashable, Sendable {
        case stateReported(type: String, name: String)
        case abortedByAPI
        /// The process took over the cancellation.
        case cancelAcknowledged
    }

    private enum Phase {
        case awaitingToken
        case authenticating
        case open
        case closed
    }

    static let maximumTokenLine = 128
    static let maximumReceipt = 4096
    private static let negotiationPrefix: [UInt8] = [0x00, 0x50, 0x46]
    private static let receiptCapability: UInt8 = 1

    private var phase = Phase.awaitingToken
    private var buffer: [UInt8] = []
    private var hasNegotiatedReceipts = false
    private var isCancelPending = false
    private(set) var conclusion: Conclusion?

    /// Whether the worker can still send an intent.
    var canCancel: Bool {
        if case .open = phase { conclusion == nil } else { false }
    }

    /// Whether the process has sent a valid token.
    var isAdmitted: Bool {
        if case .open = phase { true } else { false }
    }

    mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .received(let bytes):
            if case .closed = phase { return [] }
            buffer.append(contentsOf: bytes)
            return parse()
        case .admitted:
            guard case .authenticating = phase else { return [] }
            phase = .open
            return parse()
        case .cancelRequested:
            guard canCancel else { return [.cancelUnanswered] }
            if isCancelPending { return [] }
            isCancelPending = true
            return [.send([UInt8(ascii: "c")])]
        case .timedOut:
            return close()
        case .closed:
            return close().filter { $0 != .close }
        }
    }

    private mutating func close() -> [Action] {
        if case .closed = phase { return [] }
        phase = .closed
        buffer = []
        guard isCancelPending, conclusion == nil else { return [.close] }
        isCancelPending = false
        return [.cancelUnanswered, .close]
    }

    private mutating func parse() -> [Action] {
        var actions: [Action] = []
        while true {
            switch phase {
            case .awaitingToken:
                guard let end = buffer.firstIndex(of: UInt8(ascii: "\n")) else {
                    return buffer.count > Self.maximumTokenLine ? actions + close() : actions
                }
                let token = String(decoding: buffer[..<end], as: UTF8.self)
                buffer.removeFirst(end + 1)
                guard end <= Self.maximumTokenLine, !token.isEmpty else { return actions + close() }
                phase = .authenticating
                return actions + [.authenticate(token)]
            case .authenticating:
                // The limit bounds the memory that an unauthenticated peer can occupy.
                return buffer.count > Self.maximumReceipt + 16 ? actions + close() : actions
            case .open:
                guard let frame = nextFrame() else { return actions }
                actions += frame
            case .closed:
                return actions
            }
        }
    }

    /// Removes one frame from the buffer. Returns `nil` while the frame is incomplete.
    private mutating func nextFrame() -> [Action]? {
        switch buffer.first {
        case nil:
            return nil
        case UInt8(ascii: "a"):
            buffer.removeFirst()
            guard isCancelPending else { return close() }
            guard conclusion == nil else { return [] }
            conclusion = .cancelAcknowledged
            return [.conclude(.cancelAcknowledged)]
        case 0x00:
            guard buffer.count >= 5 else { return nil }
            let frame = Array(buffer.prefix(5))
            buffer.removeFirst(5)
            guard frame.starts(with: Self.negotiationPrefix) else { return close() }
            hasNegotiatedReceipts = frame[3] >= 2 && frame[4] & Self.receiptCapability != 0
            let answer: [UInt8] = hasNegotiatedReceipts ? [2, Self.receiptCapability] : [1, 0]
            return [.send(Self.negotiationPrefix + answer)]
        case 0x01:
            guard hasNegotiatedReceipts else { return close() }
            guard buffer.count >= 5 else { return nil }
            let size = buffer[1...4].reduce(0) { $0 << 8 | Int($1) }
            guard size <= Self.maximumReceipt else { return close() }
            guard buffer.count >= 5 + size else { return nil }
            let payload = Array(buffer[5..<(5 + size)])
            buffer.removeFirst(5 + size)
            guard let receipt = Self.receipt(payload) else { return close() }
            guard conclusion == nil else { return [] }
            conclusion = receipt
            // A process that has sent its receipt does not acknowledge an intent that is on its way.
            let unanswered: [Action] = isCancelPending ? [.cancelUnanswered] : []
            return [.conclude(receipt), .send([0x02])] + unanswered
        default:
            return close()
        }
    }

    private static func receipt(_ payload: [UInt8]) -> Conclusion? {
        guard let json = try? JSONValue(parsing: payload), let members = json.objectValue else { return nil }
        switch members["disposition"]?.stringValue {
        case "ORCHESTRATION_ABORTED":
            return members.count == 1 ? .abortedByAPI : nil
        case "STATE_REPORTED":
            guard members.count == 4, members["state_id"]?.stringValue?.utf8.count == 36,
                let type = members["state_type"]?.stringValue, (1...64).contains(type.unicodeScalars.count),
                let name = members["state_name"]?.stringValue
            else { return nil }
            return .stateReported(type: type, name: name)
        default:
            return nil
        }
    }
}
