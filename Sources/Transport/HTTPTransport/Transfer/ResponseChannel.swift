import Synchronization

/// Carries one response from the loop's thread to the task that reads it.
///
/// The loop puts in a head, portions and an end. The reader takes them out, or waits. When the buffer reaches its
/// limit, the transfer is held back. The first end wins: a cancelled or failed channel takes nothing more.
final class ResponseChannel: Sendable {
    /// The result of offering a portion.
    enum Offer {
        case accepted
        /// The portion was not taken. The transfer must pause, and offer it again once it is resumed.
        case full
        /// The reader no longer wants the response.
        case gone
    }

    /// The result of taking a portion from the channel.
    enum Taken {
        case portion([UInt8], transferWaits: Bool)
        case end(Result<[UInt8]?, TransportError>)
        case nothingYet
    }

    typealias HeadWaiter = CheckedContinuation<Result<HTTPResponse.Head, TransportError>, Never>
    typealias PortionWaiter = CheckedContinuation<Result<[UInt8]?, TransportError>, Never>

    static let bufferLimit = 256 * 1024

    fileprivate struct State {
        var headWaiter: HeadWaiter?
        var head: HTTPResponse.Head?
        var announcedBytes: Int?
        var portionWaiters: [PortionWaiter] = []
        var buffer: [UInt8] = []
        var isHeldBack = false
        var ending: Result<[UInt8]?, TransportError>?
        var requestMayHaveBeenSent = false
    }

    private let operation: String
    private let state = Mutex(State())

    init(operation: String) {
        self.operation = operation
    }

    var hasEnded: Bool {
        state.withLock { $0.ending != nil }
    }

    /// The number of body bytes that the head announces, before decompression; nil when it announces none.
    var announcedBytes: Int? {
        state.withLock { $0.announcedBytes }
    }

    // MARK: The loop's side

    func noteRequestMayHaveBeenSent() {
        state.withLock { $0.requestMayHaveBeenSent = true }
    }

    func deliver(_ head: HTTPResponse.Head, announcedBytes: Int?) {
        let waiter = state.withLock { state in
            if state.ending == nil {
                state.head = head
                state.announcedBytes = announcedBytes
            }
            return state.ending == nil ? state.takeHeadWaiter() : nil
        }
        waiter?.resume(returning: .success(head))
    }

    func offer(_ bytes: UnsafeRawBufferPointer) -> Offer {
        let (offer, waiter) = state.withLock { state -> (Offer, PortionWaiter?) in
            if state.ending != nil { return (.gone, nil) }
            if !state.portionWaiters.isEmpty { return (.accepted, state.portionWaiters.removeFirst()) }
            if state.buffer.count >= Self.bufferLimit {
                state.isHeldBack = true
                return (.full, nil)
            }
            state.buffer.append(contentsOf: bytes)
            return (.accepted, nil)
        }
        waiter?.resume(returning: .success(Array(bytes)))
        return offer
    }

    func finish() {
        end(.success(nil))
    }

    /// Ends the channel with an error, unless it has already ended, and returns the error.
    @discardableResult
    func fail(_ kind: TransportError.Kind, _ cause: String) -> TransportError {
        let sent = state.withLock { $0.requestMayHaveBeenSent }
        let error = TransportError(
            kind: kind, operation: operation, cause: cause, requestMayHaveBeenSent: sent)
        end(.failure(error))
        return error
    }

    private func end(_ ending: Result<[UInt8]?, TransportError>) {
        let (headWaiter, portionWaiters) = state.withLock { state -> (HeadWaiter?, [PortionWaiter]) in
            if case .failure(let error) = ending, error.kind == .cancelled || error.kind == .tooLarge {
                // The reader gave up, so the buffered bytes are dropped too.
                state.buffer = []
                if case .success = state.ending { state.ending = ending }
            }
            guard state.ending == nil else { return (nil, []) }
            state.ending = ending
            defer { state.portionWaiters = [] }
            return (state.takeHeadWaiter(), state.portionWaiters)
        }
        if let headWaiter {
            headWaiter.resume(returning: Self.headResult(of: ending))
        }
        for waiter in portionWaiters {
            waiter.resume(returning: ending)
        }
    }

    // MARK: The reader's side

    /// Resumes the continuation with the head, or with the failure that occurred instead.
    func awaitHead(_ waiter: HeadWaiter) {
        let result = state.withLock { state -> Result<HTTPResponse.Head, TransportError>? in
            if case .failure(let error) = state.ending { return .failure(error) }
            if let head = state.head { return .success(head) }
            state.headWaiter = waiter
            return nil
        }
        if let result { waiter.resume(returning: result) }
    }

    /// Takes the buffered bytes or the end, without waiting.
    func take() -> Taken {
        state.withLock { $0.take() }
    }

    /// Resumes the continuation with the next portion or the end. Returns true when the transfer must be resumed.
    func awaitPortion(_ waiter: PortionWaiter) -> Bool {
        let taken = state.withLock { state in
            let taken = state.take()
            if case .nothingYet = taken { state.portionWaiters.append(waiter) }
            return taken
        }
        switch taken {
        case .portion(let bytes, let transferWaits):
            waiter.resume(returning: .success(bytes))
            return transferWaits
        case .end(let result):
            waiter.resume(returning: result)
        case .nothingYet:
            break
        }
        return false
    }

    private static func headResult(
        of ending: Result<[UInt8]?, TransportError>
    ) -> Result<HTTPResponse.Head, TransportError> {
        switch ending {
        case .failure(let error):
            .failure(error)
        case .success:
            // The transfer's state never succeeds without a head. This case only keeps the waiter from hanging.
            .failure(
                TransportError(
                    kind: .protocolViolation, operation: "answer", cause: "the answer has no head",
                    requestMayHaveBeenSent: true))
        }
    }
}

extension ResponseChannel.State {
    fileprivate mutating func takeHeadWaiter() -> ResponseChannel.HeadWaiter? {
        defer { headWaiter = nil }
        return headWaiter
    }

    fileprivate mutating func take() -> ResponseChannel.Taken {
        if !buffer.isEmpty {
            let bytes = buffer
            buffer = []
            defer { isHeldBack = false }
            return .portion(bytes, transferWaits: isHeldBack)
        }
        return ending.map { .end($0) } ?? .nothingYet
    }
}
