public import FoundationEssentials
internal import PrefectConcurrency
internal import PrefectJSON
internal import Synchronization

/// A flow run did not end in time. The run itself continues.
public struct FlowRunTimeout: Error, Sendable, CustomStringConvertible {
    /// The id of the flow run.
    public let flowRunID: UUID
    /// The time that the caller allowed.
    public let timeout: Duration
    /// The run as the client last read it; `nil` when it never read the run.
    public let run: FlowRun?

    /// The problem and the remedy in one line.
    public var description: String {
        let state = run?.stateName.map { "; its last known state is \($0.explanation)" } ?? ""
        return "the flow run \(flowRunID.text) did not end within \(timeout)\(state); "
            + "it continues, so wait again or cancel it"
    }
}

extension FlowRun {
    /// Whether the run has ended.
    public var isFinished: Bool { (state?.type ?? stateType)?.isFinal ?? false }
}

extension APIClient {
    /// Waits until a flow run has ended.
    ///
    /// The method reads the run at pauses that grow to five seconds. An event of the run, received over the API's event
    /// socket, ends a pause. While the socket is open, the pauses grow to 15 seconds. Once the run was read, a
    /// temporary failure of the API does not end the waiting.
    ///
    /// - Parameter timeout: The longest time to wait; `nil` means no limit.
    /// - Returns: The run in its final state, which may be a failure.
    /// - Throws: ``FlowRunTimeout`` at the end of `timeout`. ``APIError`` for an unknown or deleted run.
    ///   `CancellationError` when the task is cancelled. The run continues in each case.
    public func waitForFlowRun(id: UUID, timeout: Duration? = nil) async throws -> FlowRun {
        try await waitForFlowRun(id: id, timeout: timeout, pauses: FlowRunPauses())
    }

    func waitForFlowRun(id: UUID, timeout: Duration?, pauses: FlowRunPauses) async throws -> FlowRun {
        let wait = FlowRunWait(client: self, id: id, pauses: pauses)
        let finished = try await firstResult(
            of: { try await wait.readUntilEnd() },
            { () async throws -> FlowRun? in
                await wait.receiveEvents()
                return nil
            },
            { () async throws -> FlowRun? in
                guard let timeout else { return nil }
                try await Task.sleep(for: timeout)
                throw FlowRunTimeout(flowRunID: id, timeout: timeout, run: wait.run)
            })
        guard let finished else { throw CancellationError() }
        return finished
    }
}

/// The pauses between the reads of a run. Each is twice as long as the one before, up to a limit.
struct FlowRunPauses: Sendable {
    /// The pause after the first read, and after an event.
    var shortest = Duration.milliseconds(250)
    /// The longest pause without an open event socket.
    var longest = Duration.seconds(5)
    /// The longest pause while the event socket is open.
    var longestWhileLive = Duration.seconds(15)
}

/// The waiting for the end of one flow run.
private final class FlowRunWait: Sendable {
    private let client: APIClient
    private let id: UUID
    private let pauses: FlowRunPauses
    private let progress: Progress
    private let isUnfinished = AsyncSignal()
    private let subscription: EventSubscription

    /// The last read and the events since then.
    private final class Progress: Sendable {
        private let state = Mutex<(run: FlowRun?, reads: Int)>((nil, 0))
        private let event = AsyncSignal()

        /// The run as it was last read.
        var run: FlowRun? {
            get { state.withLock { $0.run } }
            set { state.withLock { $0.run = newValue } }
        }

        /// Ends the pause. An event may arrive before the state that it reports can be read, so the next reads follow
        /// soon.
        func noteEvent() {
            state.withLock { $0.reads = 0 }
            event.signal()
        }

        /// Waits until the next read is due.
        func pause(from shortest: Duration, to longest: Duration) async {
            let reads = state.withLock { state in
                state.reads += 1
                return state.reads
            }
            let pauses = Backoff(from: shortest, to: longest)
            await event.wait(atMost: pauses.pause(afterFailures: reads))
        }
    }

    init(client: APIClient, id: UUID, pauses: FlowRunPauses) {
        self.client = client
        self.id = id
        self.pauses = pauses
        let progress = Progress()
        self.progress = progress
        // A run that ends before the socket is open has sent its events already.
        subscription = EventSubscription(
            api: client, selection: EventSelection(flowRunID: id.text),
            onConnect: { progress.noteEvent() })
    }

    /// The run as it was last read.
    var run: FlowRun? { progress.run }

    /// Reads the run until it has ended.
    func readUntilEnd() async throws -> FlowRun {
        while true {
            do {
                let run = try await client.readFlowRun(id: id)
                if run.isFinished { return run }
                progress.run = run
                isUnfinished.signal()
            } catch let error as APIError where error.isTransient && run != nil {
                // The state of the run is not known, so the waiting continues.
            }
            await progress.pause(
                from: pauses.shortest, to: subscription.isLive ? pauses.longestWhileLive : pauses.longest)
            try Task.checkCancellation()
        }
    }

    /// Receives the events of the run, once a read has found it unfinished, until the task is cancelled.
    func receiveEvents() async {
        await isUnfinished.wait()
        guard !Task.isCancelled else { return }
        await subscription.run { [progress] _ in progress.noteEvent() }
    }
}
