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

/// The runs of other workers, at the API that this one serves.
struct OtherRunsOfAPI: OtherRuns {
    let services: WorkerServices
    let served: Live<[any PoolService]>
    /// The value of this process's marks, by which the API tells several workers apart.
    private let mark = APIClient.newTransitionID()

    init(services: WorkerServices, served: Live<[any PoolService]>) {
        self.services = services
        self.served = served
    }

    private var pools: [any PoolService] { served.value }

    func isOwn(_ flowRunID: String) -> Bool { pools.contains { $0.registry.contains(flowRunID) } }

    func standing(of flowRunID: String) async throws -> OtherRunStanding? {
        do {
            return OtherRunStanding(
                try await services.persistently {
                    try await services.api.readFlowRun(id: flowRunID, effort: .persistent)
                })
        } catch let error as APIError {
            // A label can say anything, and whoever has written it is not this worker.
            if !error.isNotFound {
                services.logger.warning("Flow run '\(flowRunID)' of another worker cannot be looked at: \(error)")
            }
            return nil
        }
    }

    func inFlight(among flowRunIDs: [String]) async throws -> Set<String> {
        // A label can say anything; the API refuses a list with something that is no id.
        let ids = Set(flowRunIDs.filter { UUID(uuidString: $0) != nil }).sorted()
        do {
            let runs = try await services.persistently {
                try await services.api.flowRuns(among: ids, inStates: ["PENDING", "RUNNING"], effort: .persistent)
            }
            return Set(runs.map(\.id))
        } catch let error as APIError {
            services.logger.warning("Flow runs of other workers cannot be looked at: \(error)")
            return []
        }
    }

    func forEachPool(ofType workerType: String, _ body: @escaping @Sendable (PoolJobs) async -> Void) async {
        await withDiscardingTaskGroup { group in
            var seen: Set<ObjectIdentifier> = []
            while !Task.isCancelled {
                let current = pools
                for pool in current where seen.insert(ObjectIdentifier(pool.state)).inserted {
                    group.addTask {
                        if let jobs = await jobs(ofKnown: pool, ofType: workerType) { await body(jobs) }
                    }
                }
                let states = Set(current.map { ObjectIdentifier($0.state) })
                await served.wait { $0.contains { !states.contains(ObjectIdentifier($0.state)) } }
            }
        }
    }

    private func jobs(ofKnown pool: any PoolService, ofType workerType: String) async -> PoolJobs? {
        await pool.state.waitUntilKnown()
        guard let known = pool.state.pool, known.type == workerType, !Task.isCancelled else { return nil }
        return PoolJobs(
            of: known, defaultTemplate: nil, environment: services.environment, api: services.api, effort: .persistent)
    }

    func leaveMark(_ name: String, onFlowRun id: String) async throws -> Bool {
        try await services.persistently { [mark] in
            try await services.api.writeUniqueInput(
                named: "prefect-worker-crash-\(name)", value: mark, ofFlowRun: id, effort: .persistent)
        }
    }

    func reporter(ofFlowRun id: String, name: String, related: [JSONValue]) -> any JobReporter {
        let reporter = RunReporter(
            flowRun: FlowRun(id: id, name: name), services: services, workerID: pools.first?.state.workerID)
        reporter.setRelated(related)
        return reporter
    }

    func reportCrash(ofFlowRun id: String, _ status: ExitStatus, reporter: any JobReporter) async throws {
        let report = CrashReport(status.mapTexts(services.redact))
        let outcome = try await services.persistently {
            try await services.api.propose(.crashed(report.message), forFlowRun: id, effort: .persistent)
        }
        if case .accepted = outcome { report.log(flowRunID: id, to: reporter, outputIsPrinted: false) }
    }
}
