/// The reader's end of a transfer. Releasing it cancels an unfinished transfer.
///
/// It keeps the transport alive, so a response outlives the last other reference to its transport.
final class TransferHandle: HTTPBodySource {
    private let id: UInt64
    private let channel: ResponseChannel
    private let loop: EventLoop

    init(id: UInt64, channel: ResponseChannel, loop: EventLoop) {
        self.id = id
        self.channel = channel
        self.loop = loop
    }

    deinit {
        end(.cancelled, "the answer was discarded before its end")
    }

    /// Starts the transfer and waits for the head.
    func start(_ plan: TransferPlan) async throws(TransportError) -> HTTPResponse.Head {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                channel.awaitHead(waiter)
                let accepted = loop.execute { [id, channel] core in
                    core.start(plan, id: id, channel: channel)
                }
                if !accepted { channel.fail(.shutDown, TransportError.shutDownCause) }
            }
        } onCancel: {
            cancel()
        }
        return try result.get()
    }

    /// The number of body bytes that the head announces, before decompression; nil when it announces none.
    var announcedBytes: Int? { channel.announcedBytes }

    func nextPortion(
        isolation: isolated (any Actor)? = #isolation
    ) async throws(TransportError) -> [UInt8]? {
        if Task.isCancelled { cancel() }
        switch channel.take() {
        case .portion(let bytes, let transferWaits):
            if transferWaits { resumeTransfer() }
            return bytes
        case .end(let result):
            return try result.get()
        case .nothingYet:
            break
        }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                if channel.awaitPortion(waiter) { resumeTransfer() }
            }
        } onCancel: {
            cancel()
        }
        return try result.get()
    }

    func cancel() {
        end(.cancelled, "cancelled")
    }

    /// Fails the reader and removes the transfer from the loop.
    @discardableResult
    func end(_ kind: TransportError.Kind, _ cause: String) -> TransportError {
        let wasRunning = !channel.hasEnded
        let error = channel.fail(kind, cause)
        // The loop holds nothing of a transfer that has ended, so its thread is not woken.
        if wasRunning {
            loop.execute { [id] core in core.abort(id) }
        }
        return error
    }

    private func resumeTransfer() {
        loop.execute { [id] core in core.resume(id) }
    }
}
