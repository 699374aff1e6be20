import CPrefectCurl
import Glibc

/// One request on the loop's thread. It passes libcurl's reports through the state and the parser to the channel.
final class Transfer {
    let easy: EasyHandle
    private let plan: TransferPlan
    private let channel: ResponseChannel
    private var state: TransferState
    private var parser: HeadParser
    /// The reason why a callback stopped the transfer. libcurl itself reports only that a callback did.
    private var refusal: (kind: TransportError.Kind, cause: String)?

    private static let largeBody = 64 * 1024

    init(_ plan: TransferPlan, easy: EasyHandle, channel: ResponseChannel) throws(EasyHandle.Refusal) {
        self.plan = plan
        self.easy = easy
        self.channel = channel
        state = TransferState(deadlines: plan.deadlines, wholeDeadline: plan.wholeDeadline, startedAt: .now)
        parser = HeadParser(url: plan.url.text)
        try easy.configure(plan)
        try easy.setCallbacks(for: self, watchUpload: plan.body.count > Self.largeBody)
    }

    var nextDeadline: ContinuousClock.Instant? { state.nextDeadline }
    var hasEnded: Bool { state.hasEnded }

    // MARK: From libcurl's callbacks

    func connectionIsReady() {
        channel.noteRequestMayHaveBeenSent()
        handle(.connectionReady)
    }

    func uploaded(_ bytes: Int64) {
        handle(.uploaded(bytes))
    }

    /// Returns false to stop the transfer.
    func receiveHeadLine(_ line: UnsafeRawBufferPointer) -> Bool {
        handle(.received)
        switch parser.consume(line) {
        case .incomplete, .trailer:
            break
        case .interim:
            handle(.interimHead)
        case .head(let head):
            if head.status == 407, plan.proxy != nil {
                refusal = (.proxy, "the proxy asks for a user and password (status 407)")
                return false
            }
            handle(.head(head))
        case .malformed(let cause):
            refusal = (.protocolViolation, cause)
            return false
        }
        return true
    }

    func receive(_ portion: UnsafeRawBufferPointer) -> ResponseChannel.Offer {
        let offer = channel.offer(portion)
        switch offer {
        case .accepted: handle(.received)
        case .full: handle(.heldBack)
        case .gone: break
        }
        return offer
    }

    // MARK: From the loop

    /// Called when the reader has room again. libcurl may run callbacks during this call.
    func resume() {
        handle(.released)
        curl_easy_pause(easy.pointer, CURLPAUSE_CONT)
    }

    /// Ends the transfer if one of its deadlines has passed.
    func checkDeadlines(at now: ContinuousClock.Instant) {
        perform(state.handle(.clock, at: now))
    }

    func fail(_ kind: TransportError.Kind, _ cause: String) {
        handle(.failed(kind, cause))
    }

    /// Called when libcurl has finished the transfer, with success or not.
    func finish(_ code: CURLcode) {
        if code == CURLE_OK { return handle(.succeeded) }
        if let refusal { return fail(refusal.kind, refusal.cause) }
        let failure = CurlFailure(
            code: code, cause: easy.cause(of: code), systemError: easy.systemError, tunnelStatus: easy.tunnelStatus,
            isThroughProxy: plan.proxy != nil, requestMayHaveBeenSent: state.requestMayHaveBeenSent)
        var cause = failure.text
        if let path = plan.unixSocketPath, !state.requestMayHaveBeenSent { cause += " (socket \(path))" }
        if let proxy = plan.proxy { cause += " (through the proxy \(proxy.address))" }
        fail(failure.kind, cause)
    }

    private func handle(_ event: TransferState.Event) {
        perform(state.handle(event, at: .now))
    }

    private func perform(_ actions: [TransferState.Action]) {
        for action in actions {
            switch action {
            case .deliver(let head): channel.deliver(head, announcedBytes: head.announcedBytes(for: plan.method))
            case .complete: channel.finish()
            case .fail(let kind, let cause): channel.fail(kind, cause)
            }
        }
    }
}
