package import BackendKit
package import PrefectJSON
internal import Synchronization

/// Runs of other workers, with the states that a test sets.
package final class ScriptedRuns: ForeignRuns {
    private struct State {
        var statuses: [String: ForeignRunStatus] = [:]
        var own: Set<String> = []
        var reporters: [String: RecordingReporter] = [:]
        var crashes: [String: [ExitStatus]] = [:]
        var questions = 0
        var marks: [String: [String]] = [:]
        /// The time of the first attempt to mark a run, and of its first crash report.
        var marked: [String: ContinuousClock.Instant] = [:]
        var crashed: [String: ContinuousClock.Instant] = [:]
        var lostMarks = 0
    }

    private let state = Mutex(State())

    /// Sets the status of a run.
    package func set(
        _ run: String, isInFlight: Bool = true, infrastructure: String? = nil, claimed: Timestamp? = nil
    ) {
        state.withLock {
            $0.statuses[run] = ForeignRunStatus(
                isInFlight: isInFlight, infrastructure: infrastructure, claimed: claimed)
        }
    }

    /// Makes a run one of the worker itself.
    package func take(_ run: String) { state.withLock { _ = $0.own.insert(run) } }

    /// The reporter of a run, if one was made.
    package func reporter(_ run: String) -> RecordingReporter? { state.withLock { $0.reporters[run] } }

    /// The crashes that were reported for a run.
    package func crashes(_ run: String) -> [ExitStatus] { state.withLock { $0.crashes[run] ?? [] } }

    /// The number of requests about runs.
    package var questions: Int { state.withLock { $0.questions } }

    /// The names of the marks that were to be written on a run.
    package func marks(_ run: String) -> [String] { state.withLock { $0.marks[run] ?? [] } }

    /// The time from the first mark of a run to its first crash report.
    package func patience(_ run: String) -> Duration? {
        state.withLock { state in
            guard let marked = state.marked[run], let crashed = state.crashed[run] else { return nil }
            return crashed - marked
        }
    }

    /// Makes another worker's marks the first on each run, as many times.
    package func loseMarks(_ count: Int) { state.withLock { $0.lostMarks = count } }

    // MARK: ForeignRuns

    private let pools: [PoolJobs]

    /// Runs of these pools.
    package init(pools: [PoolJobs] = []) { self.pools = pools }

    /// Returns the runs that are in flight according to the test.
    package func inFlight(among flowRunIDs: [String]) async throws -> Set<String> {
        state.withLock { state in
            state.questions += 1
            return Set(flowRunIDs.filter { state.statuses[$0]?.isInFlight == true })
        }
    }

    /// Calls `body` for each pool of the test.
    package func forEachPool(ofType workerType: String, _ body: @escaping @Sendable (PoolJobs) async -> Void) async {
        for pool in pools { await body(pool) }
    }

    /// Writes a mark, unless the test makes another worker's mark the first.
    package func writeMark(_ name: String, onFlowRun id: String) async throws -> Bool {
        state.withLock { state in
            state.marks[id, default: []].append(name)
            if state.marked[id] == nil { state.marked[id] = .now }
            return state.marks[id, default: []].count > state.lostMarks
        }
    }

    /// Whether the test has made the run one of the worker itself.
    package func isOwn(_ flowRunID: String) -> Bool { state.withLock { $0.own.contains(flowRunID) } }

    /// Returns the status that the test has set.
    package func status(of flowRunID: String) async throws -> ForeignRunStatus? {
        state.withLock { state in
            state.questions += 1
            return state.statuses[flowRunID]
        }
    }

    /// Makes a reporter that records.
    package func reporter(ofFlowRun id: String, name: String, related: [JSONValue]) -> any JobReporter {
        let reporter = RecordingReporter()
        state.withLock { $0.reporters[id] = reporter }
        return reporter
    }

    /// Records a crash.
    package func reportCrash(ofFlowRun id: String, _ status: ExitStatus, reporter: any JobReporter) async throws {
        state.withLock { state in
            state.crashes[id, default: []].append(status)
            if state.crashed[id] == nil { state.crashed[id] = .now }
        }
    }
}
