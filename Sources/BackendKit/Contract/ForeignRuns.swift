package import PrefectJSON

/// The runs of other workers, for a backend that observes their infrastructure as well.
package protocol ForeignRuns: Sendable {
    /// Whether this worker itself holds the run.
    func isOwn(_ flowRunID: String) -> Bool

    /// Reads a run's status, for as long as it takes; `nil` when the API has no such run, or does not return it. Throws
    /// `CancellationError` when the worker shuts down before it has an answer.
    func status(of flowRunID: String) async throws -> ForeignRunStatus?

    /// The reporter of messages about a run's infrastructure. Its events are related to `related`.
    func reporter(ofFlowRun id: String, name: String, related: [JSONValue]) -> any JobReporter

    /// Returns those of these runs that are in flight: their infrastructure must still bring them to an end. Throws
    /// `CancellationError` when the worker shuts down before it has an answer.
    func inFlight(among flowRunIDs: [String]) async throws -> Set<String>

    /// Calls `body` for each pool of a type, as soon as the API has described the pool.
    func forEachPool(ofType workerType: String, _ body: @escaping @Sendable (PoolJobs) async -> Void) async

    /// Writes a mark on a run, which only the first of several workers can write. Returns whether the mark is this
    /// worker's.
    func writeMark(_ name: String, onFlowRun id: String) async throws -> Bool

    /// Proposes Crashed for a run whose infrastructure has ended with this status, and writes the cause into the run's
    /// log. A run that has ended by itself keeps its state.
    func reportCrash(ofFlowRun id: String, _ status: ExitStatus, reporter: any JobReporter) async throws
}

/// The status of another worker's run at the API.
package struct ForeignRunStatus: Sendable, Hashable {
    /// Whether the run's infrastructure must still bring it to an end: it is neither over, nor being cancelled, nor
    /// rescheduled.
    package let isInFlight: Bool
    /// The infrastructure that was recorded for the run last.
    package let infrastructure: String?
    /// The time at which a worker claimed the run, if no infrastructure for the run is known since then.
    package let claimed: Timestamp?

    /// A status.
    package init(isInFlight: Bool, infrastructure: String?, claimed: Timestamp?) {
        self.isInFlight = isInFlight
        self.infrastructure = infrastructure
        self.claimed = claimed
    }
}

extension ForeignRuns {
    /// Whether no worker looks after a run whose infrastructure has ended: the run is in flight and unchanged since
    /// then, and has no other infrastructure. Its own worker gets some time to report the end.
    ///
    /// - Parameters:
    ///   - ended: When the infrastructure ended.
    ///   - patience: The time for the run's own worker.
    ///   - isSame: Whether an identifier that the API has recorded is that of the infrastructure.
    ///   - hasOther: Whether the run has other infrastructure, which is active or has ended well.
    package func isUnchanged(
        _ flowRunID: String, since ended: Timestamp, for patience: Duration, isSame: (String) -> Bool,
        hasOther: () async throws -> Bool
    ) async throws -> Bool {
        let deadline = ContinuousClock.now + patience
        while true {
            guard !isOwn(flowRunID), let status = try await status(of: flowRunID), status.isInFlight,
                status.infrastructure.map(isSame) ?? true, status.claimed.map({ $0 <= ended }) ?? true,
                try await !hasOther()
            else { return false }
            if ContinuousClock.now >= deadline { return true }
            try await Task.sleep(until: min(deadline, .now + .seconds(5)), clock: .continuous)
        }
    }

    /// Whether this worker is the one that reports the crash of a run. The worker that sets its mark first reports it.
    /// If it has not done so after a while, it may have ended, and the next mark decides which of the others does.
    ///
    /// - Parameters:
    ///   - mark: A name of the infrastructure that no other infrastructure has.
    ///   - isStillUnchanged: Gives the first worker its time, and returns whether the run is still to be reported.
    package func isReporter(
        ofFlowRun id: String, mark: String, isStillUnchanged: () async throws -> Bool
    ) async throws -> Bool {
        var name = mark
        var round = 1
        while try await !writeMark(name, onFlowRun: id) {
            guard try await isStillUnchanged() else { return false }
            round += 1
            name = "\(mark)-\(round)"
        }
        return true
    }
}
