internal import FoundationEssentials
public import JSON
internal import Logging
internal import PrefectAPI

/// The runs of other workers, for a backend that observes their infrastructure as well.
public protocol OtherRuns: Sendable {
    /// Whether this worker has the run in its own hands.
    func isOwn(_ flowRunID: String) -> Bool

    /// How a run stands, asked for as long as it takes; `nil` when the API has no such run, or does not tell.
    /// Throws `CancellationError` when the worker leaves before there is an answer.
    func standing(of flowRunID: String) async throws -> OtherRunStanding?

    /// Where to write what happens to a run's infrastructure; its events are related to `related`.
    func reporter(ofFlowRun id: String, name: String, related: [JSONValue]) -> any JobReporter

    /// Which of these runs their infrastructure has to bring to an end. Throws `CancellationError` when the worker leaves.
    func inFlight(among flowRunIDs: [String]) async throws -> Set<String>

    /// Does something for each pool of a type, as soon as the API has described it.
    func forEachPool(ofType workerType: String, _ body: @escaping @Sendable (PoolJobs) async -> Void) async

    /// Leaves a mark on a run that only the first of several workers can leave. Returns whether it is this worker's.
    func leaveMark(_ name: String, onFlowRun id: String) async throws -> Bool

    /// Proposes that the run has crashed, since its infrastructure has ended like this, and writes into its log why. A
    /// run that has ended by itself stays as it is.
    func reportCrash(ofFlowRun id: String, _ status: ExitStatus, reporter: any JobReporter) async throws
}

/// How the run of another worker stands at the API.
public struct OtherRunStanding: Sendable, Hashable {
    /// Whether its infrastructure has to bring it to an end: it is neither over, nor being cancelled, nor planned anew.
    public let isInFlight: Bool
    /// The infrastructure that was recorded for it last.
    public let infrastructure: String?
    /// When a worker has taken it, if since then nothing is known of infrastructure for it.
    public let claimed: Timestamp?

    /// A standing.
    public init(isInFlight: Bool, infrastructure: String?, claimed: Timestamp?) {
        self.isInFlight = isInFlight
        self.infrastructure = infrastructure
        self.claimed = claimed
    }

    init(_ run: FlowRun) {
        let isPending = run.stateType == "PENDING"
        let isClaim = isPending && run.stateName != StateProposal.infrastructurePending
        self.init(
            isInFlight: isPending || run.stateType == "RUNNING", infrastructure: run.infrastructurePID,
            claimed: isClaim ? run.state?["timestamp"]?.stringValue.flatMap { Timestamp($0) } : nil)
    }
}
