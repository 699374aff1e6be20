internal import BackendKit
internal import FoundationEssentials
internal import Logging
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON

/// The runs of other workers, at the API of this worker.
struct ForeignRunsOfAPI: ForeignRuns {
    let services: WorkerServices
    let served: ObservedValue<[any PoolService]>
    /// The value of this process's marks, by which the API distinguishes several workers.
    private let mark = APIClient.newTransitionID()
    private let unreported = UnreportedRuns()

    init(services: WorkerServices, served: ObservedValue<[any PoolService]>) {
        self.services = services
        self.served = served
    }

    private var pools: [any PoolService] { served.value }

    /// Answers questions about the runs until the task is cancelled. Only reports of pending infrastructure need it.
    func run() async { await unreported.run(services.api) }

    func isOwn(_ flowRunID: String) -> Bool { pools.contains { $0.registry.contains(flowRunID) } }

    func status(of flowRunID: String) async throws -> ForeignRunStatus? {
        do {
            return ForeignRunStatus(
                KnownRun(
                    try await services.persistently {
                        try await services.api.readFlowRun(id: UUID(id: flowRunID), effort: .persistent)
                    }))
        } catch let error as APIError {
            // The id comes from a label, which other programs write and which may contain anything.
            if !error.isNotFound {
                services.logger.warning("Flow run '\(flowRunID)' of another worker cannot be looked up: \(error)")
            }
            return nil
        }
    }

    func inFlight(among flowRunIDs: [String]) async throws -> Set<String> {
        // A label may contain anything, and the API refuses a list with a value that is no id.
        let ids = Array(Set(flowRunIDs.compactMap { UUID(uuidString: $0) }))
        do {
            let runs = try await services.persistently {
                try await services.api.readFlowRuns(
                    among: ids, inStates: [.pending, .running], effort: .persistent)
            }
            return Set(runs.map(\.id.text))
        } catch let error as APIError {
            services.logger.warning("Flow runs of other workers cannot be looked up: \(error)")
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

    func writeMark(_ name: String, onFlowRun id: String) async throws -> Bool {
        try await services.persistently { [mark] in
            try await services.api.writeUniqueInput(
                flowRunID: UUID(id: id), key: RunMark.crash(of: name), value: mark, effort: .persistent)
        }
    }

    func reporter(ofFlowRun id: String, name: String, related: [JSONValue]) -> any JobReporter {
        let reporter = RunReporter(
            flowRun: KnownRun(id: id, name: name), services: services, workerID: pools.first?.state.workerID,
            unreportedRuns: unreported)
        reporter.setRelated { related }
        return reporter
    }

    func reportCrash(ofFlowRun id: String, _ status: ExitStatus, reporter: any JobReporter) async throws {
        let report = CrashReport(status.mapTexts(services.redact))
        let outcome = try await services.persistently {
            try await services.api.propose(.crashed(report.message), forFlowRun: UUID(id: id), effort: .persistent)
        }
        if case .accepted = outcome { report.log(flowRunID: id, to: reporter, outputIsPrinted: false) }
    }
}

extension ForeignRunStatus {
    fileprivate init(_ run: KnownRun) {
        let isPending = run.stateType == .pending
        let isClaim = isPending && run.stateName != StateCreate.infrastructurePending
        self.init(
            isInFlight: isPending || run.stateType == .running, infrastructure: run.infrastructurePID,
            claimed: isClaim ? run.state?.timestamp : nil)
    }
}
