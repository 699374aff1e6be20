internal import JSON
internal import Logging
internal import PrefectAPI

/// Goes on with one run that an earlier process of the worker has left.
struct RunRecovery<Backend: InfrastructureBackend>: Sendable {
    let entry: LedgerEntry
    let held: HeldRun
    let backend: Backend
    let live: Live<ServedPool>
    let services: WorkerServices
    let contexts: RunContextReader
    let state: PoolState
    let contest: Contest
    let metrics: PoolMetrics
    let late: LateProposals

    private var api: APIClient { services.api }

    /// Finds out how the run stands, and takes it on from there. Nothing is thrown out of it.
    func run() async {
        // What the run is made of comes from the API, which may be away for long.
        guard let flowRun = try? await services.persistently({ try await read() }),
            let pool = try? await services.persistently({ try await readPool() })
        else { return leave() }
        let reporter = RunReporter(flowRun: flowRun, services: services, workerID: state.workerID)
        let execution = RunExecution(
            held: held, flowRun: flowRun, backend: backend, pool: pool, live: live, services: services,
            contexts: contexts, reporter: reporter, workerID: state.workerID, contest: contest, metrics: metrics,
            late: late,
            isRecovered: true)
        await execution.follow {
            if entry.deaths >= RunWorkMark.mostDeaths { try await giveUp(execution) } else { try await goOn(execution) }
        }
    }

    private func leave() {
        metrics.ended(.left)
        services.logger.info("Flow run '\(entry.flowRunName)' is left to the next start of this worker")
    }

    private func goOn(_ execution: RunExecution<Backend>) async throws {
        // The earlier process may have died with a proposal under way.
        if [.due, .configured].contains(entry.stage) { held.doubt() }
        let current = try await execution.readStanding()
        let standing = current?.standing ?? RunStanding(situation: .deleted, isOurs: false)
        let (remains, prepared) = try await remains(execution)
        let decision = RecoveryDecision(standing, remains: remains)
        tell(decision, standing)
        switch decision {
        case .forget:
            guard let prepared, case .ended(let identifier) = remains else { return }
            if standing.isOurs, standing.situation != .deleted {
                try await execution.recordingInfrastructure(identifier) {}
            }
            await execution.work(.cleaningUp) { await backend.cleanUp(identifier, job: prepared.job) }
        case .claim:
            guard services.shutdown.isServing, try await execution.claim() else { return }
            try await execution.goOn()
        case .goOn:
            if entry.stage == .due {
                guard try await execution.isOurs(.accepted(state: current?.run.state ?? .null)) else { return }
            }
            try await execution.goOn()
        case .watch(let identifier):
            guard let prepared else { return }
            held.setIdentifier(identifier)
            await execution.enter(.running)
            if standing.situation == .cancelling { held.requestStop(.cancelled) }
            try await execution.accompany(identifier, prepared, submitted: nil)
        case .report(let identifier):
            guard let prepared else { return }
            let status = entry.exit ?? ExitStatus(code: nil)
            held.setIdentifier(identifier)
            held.setExit(status)
            await execution.enter(.exited)
            try await execution.recordingInfrastructure(identifier) {
                try await execution.report(status, of: identifier, prepared, submitted: nil)
            }
        case .cancel: try await execution.endBeforeStart(.cancelled)
        case .keep: throw CancellationError()
        }
    }

    /// What is left of the infrastructure, with the job to deal with it; asked for until it can be told.
    private func remains(
        _ execution: RunExecution<Backend>
    ) async throws -> (InfrastructureRemains, RunExecution<Backend>.Prepared?) {
        guard [.submitted, .running, .exited].contains(entry.stage) else { return (.neverStarted, nil) }
        let prepared = try await execution.reconfigure()
        if entry.stage == .exited, let identifier = entry.identifier { return (.ended(identifier), prepared) }
        var hasSaid = false
        while true {
            do {
                let remains = try await execution.work(.recovering) {
                    try await backend.remains(of: prepared.job, identifier: entry.identifier)
                }
                return (remains, prepared)
            } catch let error as InfrastructureError {
                if !hasSaid {
                    services.logger.warning(
                        "What is left of flow run '\(entry.flowRunName)' cannot be told yet, trying again: \(error)")
                }
                hasSaid = true
                try await Task.sleep(for: .seconds(2))
                if !services.shutdown.isServing { throw CancellationError() }
            }
        }
    }

    private func tell(_ decision: RecoveryDecision, _ standing: RunStanding) {
        let what =
            switch decision {
            case .forget: "needs nothing more"
            case .claim: "was about to be claimed: claiming it"
            case .goOn: "had been claimed and not started: starting it"
            case .watch(let identifier): "still runs as '\(identifier)': watching it"
            case .report(let identifier): "ended as '\(identifier)' meanwhile: reporting it"
            case .cancel: "is being cancelled and had not been started: cancelling it"
            case .keep: "may still run, out of this worker's reach: looking again at the next start"
            }
        services.logger.info("Flow run '\(entry.flowRunName)' of an earlier process of this worker \(what)")
    }

    private func read() async throws -> FlowRun {
        do {
            return try await api.readFlowRun(id: entry.flowRunID, effort: .persistent)
        } catch let error as APIError where error.isNotFound {
            guard entry.api == api.configuration.shownURL else {
                services.logger.warning(
                    "Flow run '\(entry.flowRunName)' belongs to the API '\(entry.api)' and is left to a worker for that one"
                )
                throw CancellationError()
            }
            return FlowRun(id: entry.flowRunID, name: entry.flowRunName)
        } catch let error as APIError where error.isTooLarge {
            return FlowRun(id: entry.flowRunID, name: entry.flowRunName, unreadable: error.description)
        }
    }

    private func readPool() async throws -> WorkPool {
        if let pool = state.pool { return pool }
        do {
            return try await api.readWorkPool(named: entry.pool, effort: .persistent)
        } catch let error as APIError where error.isNotFound {
            return WorkPool(name: entry.pool, type: entry.workerType)
        }
    }
}
