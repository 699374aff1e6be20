internal import BackendKit
internal import JobTemplates
internal import Logging
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON

/// Carries out the steps of ``RunMachine`` for one flow run, and passes their results back to it.
///
/// A failure affects only this run: ``run()`` throws no error.
struct RunDriver: Sendable {
    /// The values that all steps need. The tasks of a run share them, because many runs may be in flight for long.
    private final class Shared: Sendable {
        let active: ActiveRun
        let details: RunDetails
        let slot: Slot
        let flowRun: KnownRun
        let pool: WorkPool
        let runs: PoolRuns
        let reporter: RunReporter
        let isTraced: Bool

        init(
            _ active: ActiveRun, _ details: RunDetails, _ slot: Slot, _ flowRun: KnownRun, _ pool: WorkPool,
            _ runs: PoolRuns
        ) {
            self.active = active
            self.details = details
            self.slot = slot
            self.flowRun = flowRun
            self.pool = pool
            self.runs = runs
            isTraced = runs.services.isTraced
            reporter = RunReporter(flowRun: flowRun, services: runs.services, workerID: runs.state.workerID)
        }
    }

    private let shared: Shared

    /// A driver of a run; `nil` without the pool, or without the run's details.
    init?(active: ActiveRun, details: RunDetails, slot: Slot, pool: WorkPool?, runs: PoolRuns) {
        guard let pool, let flowRun = details.flowRun else { return nil }
        shared = Shared(active, details, slot, flowRun.outline, pool, runs)
    }

    var active: ActiveRun { shared.active }
    /// The outline of the run.
    var flowRun: KnownRun { shared.flowRun }
    var pool: WorkPool { shared.pool }
    var runs: PoolRuns { shared.runs }
    var reporter: RunReporter { shared.reporter }

    /// The maker of the run's job. Throws for a run whose infrastructure exists.
    var jobs: RunJobs {
        get throws {
            guard let flowRun = shared.details.flowRun else { throw MissingJob() }
            return RunJobs(
                runs: runs, flowRun: flowRun, pool: pool, claimID: active.transitions.claim,
                deploymentSince: active.takenAt, reporter: reporter)
        }
    }

    var backend: any Backend { runs.backend }
    var services: WorkerServices { runs.services }
    /// The worker's own log, in which each line names the run.
    var logger: Logger { services.logger(ofRun: active.id, named: active.name) }
    var api: APIClient { runs.services.api }
    var served: ServedPool { runs.served }
    var events: WorkerEvents { runs.events }

    /// The error for a step that lacks the result of an earlier step: a fault of the program.
    struct MissingJob: Error, CustomStringConvertible {
        let description = "its job configuration has not been made"
    }

    /// Takes the run through all of its steps.
    func run() async {
        if shared.isTraced { await note(tracedOutcome()) } else { await note(outcome()) }
    }

    @inline(never)
    private func tracedOutcome() async -> RunOutcome {
        await services.span(ofRun: flowRun, pool: served.name) { await outcome() }
    }

    @inline(never)
    private func note(_ outcome: RunOutcome) { runs.metrics.ended(outcome) }

    // The functions through which a run in flight is watched use as little of their task's memory as they can. Values
    // of large types would be part of it. So they occur in functions that are not inlined, or in tasks of their own.

    private func outcome() async -> RunOutcome {
        let memory = makeMemory()
        do {
            while !active.machine.isOver {
                if active.machine.step.part == .watch {
                    reduce(memory)
                    try await shared.isTraced ? tracedWatch(memory) : watchAndReport(memory)
                } else {
                    try await inChildTask { try await carryOutPart(memory) }
                }
            }
        } catch {
            if let outcome = outcome(of: error) { return outcome }
        }
        return await conclusion()
    }

    @inline(never)
    private func makeMemory() -> Memory { Memory(trace: services.currentTrace) }

    /// Releases all that the watch and the report do not need, because the run may be in flight for long.
    @inline(never)
    private func reduce(_ memory: Memory) {
        shared.details.release()
        memory.reduce()
        if !backend.traits.holdsSlotUntilEnd { shared.slot.release() }
    }

    /// The outcome of a run that a failure ended; nil for a run that is passed to the next process.
    @inline(never)
    private func outcome(of error: any Error) -> RunOutcome? {
        guard !(error is CancellationError) else {
            active.leave()
            return nil
        }
        reporter.log(.error, "The worker abandoned flow run '\(flowRun.name)': \(error)")
        return .abandoned
    }

    private func conclusion() async -> RunOutcome {
        let machine = active.machine
        if machine.step == .left {
            logger.info(
                """
                Flow run '\(flowRun.name)' will be recovered at the next start of this worker, from stage \
                '\(machine.stage.rawValue)'
                """)
        } else {
            await forget()
        }
        return machine.outcome
    }

    /// Whether the worker does not wait for the end of runs that it has started.
    var isDoneOnceStarted: Bool {
        @inline(never) get { served.runsOnce && backend.traits.isDoneOnceStarted }
    }

    /// Removes the run from the ledger, at once or when the API can no longer apply any of its proposals late.
    private func forget() async {
        var entry = entry
        entry.stage = .reported
        guard runs.late.watch(entry) else { return await services.ledger.remove(active.id) }
        await services.ledger.record([entry])
    }

    // MARK: The loop

    /// Carries out the steps of the current part of the path, within a span.
    private func carryOutPart(_ memory: Memory) async throws {
        try await services.span("worker.\(active.machine.step.part)") { try await carryOutSteps(memory) }
    }

    /// Carries out the steps of the current part of the path.
    private func carryOutSteps(_ memory: Memory) async throws {
        let part = active.machine.step.part
        while case let step = active.machine.step, step.part == part, !active.machine.isOver {
            try await carryOut(step, memory)
        }
    }

    private func tracedWatch(_ memory: Memory) async throws {
        try await services.span("worker.\(RunMachine.Part.watch)") { try await watchAndReport(memory) }
    }

    /// Watches a run with infrastructure and reports its end. Meanwhile, records the infrastructure at the API.
    private func watchAndReport(_ memory: Memory) async throws {
        guard let identifier = recordedInfrastructure(memory) else {
            return try await inChildTask { try await carryOutSteps(memory) }
        }
        if isDoneOnceStarted, !active.machine.isRecovered { throw await recordAndLeave(identifier) }
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { await recordInfrastructure(identifier) }
            if active.machine.step == .watch {
                try await watch(identifier, memory, &group)
                // Another run may start while the end of this one is reported.
                shared.slot.release()
            }
            try await inChildTask { try await carryOutSteps(memory) }
        }
    }

    /// Records the infrastructure of a run that this process does not watch.
    @inline(never)
    private func recordAndLeave(_ identifier: InfrastructureIdentifier) async -> CancellationError {
        await recordInfrastructure(identifier)
        return CancellationError()
    }

    /// The infrastructure to record at the API; nil for infrastructure that is only removed. The run of that has ended
    /// or is another worker's.
    @inline(never)
    private func recordedInfrastructure(_ memory: Memory) -> InfrastructureIdentifier? {
        active.machine.step != .cleanUp || memory.isOurs ? active.identifier : nil
    }

    /// Passes the result of the current step to the machine, and records the run's stage in the ledger.
    func take(_ event: RunMachine.Event) async throws {
        let before = active.stage
        guard try active.handle(event) else { return }
        if before == .due, active.stage == .claimed { services.recent.claimed(dueAt: active.due) }
        // The note in the ledger that a start is under way also records the stage.
        if active.machine.step != .start { await services.ledger.record([entry]) }
    }

    private func carryOut(_ step: RunMachine.Step, _ memory: Memory) async throws {
        switch step {
        case .readStatus: try await readStatusOfEarlierProcess(memory)
        case .findInfrastructure: try await findInfrastructure(memory)
        case .reportGivenUp: try await reportGivenUp()
        case .endGivenUp: try await endGivenUp()
        case .claim: try await claim()
        case .readAfterClaim: try await readAfterClaim()
        case .claimAgain: try await claimAgain()
        case .settle: try await settle()
        case .configure: try await configure(memory)
        case .submit: try await submit(memory)
        case .readBeforeSubmission, .readAfterSubmission: try await take(readToContinue())
        case .readCancelling: try await take(.status(readStatus()))
        case .start: try await start(memory)
        case .findInterrupted: try await findInterrupted(memory)
        case .cancelUnstarted: try await cancelUnstarted()
        case .cancelWithoutDeployment: try await cancelWithoutDeployment()
        case .crashUnstarted: try await crashUnstarted(memory)
        case .giveBack: try await giveBack()
        case .watch: throw MissingJob()
        case .readBeforeReport: try await readBeforeReport()
        case .readAfterEnd: try await readAfterEnd(memory)
        case .crash: try await crash(memory)
        case .cancel: try await cancel(memory)
        case .noteCancelled: try await noteCancelled(memory)
        case .conclude: try await conclude(memory)
        case .cleanUp: try await cleanUp(memory)
        case .finished, .left: return
        }
    }

    // MARK: Helpers of the steps

    /// The run's current entry for the ledger.
    var entry: LedgerEntry { runs.entry(of: active) }

    /// Marks in the ledger that work on this run alone is under way.
    var mark: RunWorkMark { RunWorkMark(active: active, services: services, entry: { entry }) }

    /// The run as it is now; `nil` when it was deleted. Its state is the one before any proposals that the API applied
    /// late. A run that is too large to be read has the last of its states.
    func readRun() async throws -> KnownRun? {
        do {
            let run = try await persistently {
                KnownRun(try await api.readFlowRun(id: flowRun.uuid, effort: .persistent))
            }
            guard active.isUncertain, let transition = run.transitionID, active.transitions.contains(transition),
                let overwritten = active.transitions.overwrittenState(in: try await readHistory())
            else { return run }
            return run.inState(overwritten)
        } catch let error as APIError where error.isNotFound {
            logger.info("Flow run '\(flowRun.name)' was deleted meanwhile")
            return nil
        } catch let error as APIError where error.isTooLarge {
            let run = KnownRun(id: flowRun.id, name: flowRun.name, unreadable: error.description)
            return try await readHistory().max { $0.timestamp < $1.timestamp }.map(run.inState)
        }
    }

    /// All states that the run had, in no particular order.
    func readHistory() async throws -> [State] {
        try await persistently { try await api.readFlowRunStates(flowRunID: flowRun.uuid, effort: .persistent) }
    }

    /// The run's status, by its present state and all the states that it had.
    func readStatus() async throws -> RunStatus {
        guard let current = try await readRun() else { return .unread }
        return RunStatus(current, history: try await readHistory(), entry: entry)
    }

    /// Proposes a state that must be reported, for as long as it takes, without secrets in its message. A refusal is
    /// only logged, because the run may be deleted or may have ended by itself.
    func proposePersistently(_ proposal: StateCreate, force: Bool = false) async throws -> ProposalOutcome? {
        var proposal = proposal
        proposal.message = proposal.message.map(reporter.redact)
        do {
            let redacted = proposal
            return try await persistently {
                try await api.propose(redacted, forFlowRun: flowRun.uuid, force: force, effort: .persistent)
            }
        } catch let error as APIError {
            if error.isNotFound {
                logger.info("Flow run '\(flowRun.name)' was deleted meanwhile")
            } else {
                logger.error(
                    "The state '\(proposal.name ?? "")' of flow run '\(flowRun.name)' was refused: \(error)")
            }
            return nil
        }
    }

    /// The answer to a proposal of Crashed.
    enum CrashAnswer {
        /// The run is in this state.
        case accepted(State?)
        /// The run is being cancelled, and keeps this state.
        case cancelling(State?)
        /// The run has ended or was deleted, or the API refused the state.
        case refused
    }

    /// Proposes Crashed, for as long as it takes.
    func proposeCrash(_ message: String) async throws -> CrashAnswer {
        switch try await proposePersistently(.crashed(message)) {
        case .accepted(let state)?: .accepted(state)
        case .rejected(let state, _)? where state?.type == .cancelling: .cancelling(state)
        default: .refused
        }
    }

    /// Calls ``WorkerServices/persistently(_:)``.
    func persistently<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
        try await services.persistently(body)
    }
}

extension RunMachine {
    /// A part of the path. Each part has its own span.
    enum Part: String {
        case recover
        case claim
        case configure
        case start
        case watch
    }
}

extension RunMachine.Step {
    /// The part of the path that the step belongs to.
    var part: RunMachine.Part {
        switch self {
        case .readStatus, .findInfrastructure, .reportGivenUp, .endGivenUp: .recover
        case .claim, .readAfterClaim, .claimAgain, .settle: .claim
        case .configure: .configure
        case .submit, .readBeforeSubmission, .readAfterSubmission, .readCancelling, .start, .findInterrupted,
            .cancelUnstarted,
            .cancelWithoutDeployment, .crashUnstarted, .giveBack:
            .start
        case .watch, .readBeforeReport, .readAfterEnd, .crash, .cancel, .noteCancelled, .conclude, .cleanUp, .finished,
            .left:
            .watch
        }
    }
}

extension RunMachine.Reading {
    /// The state of a run that was read; `nil` means a deleted run. `isOurs` states whether this worker may start a
    /// pending run.
    init(_ run: KnownRun?, isOurs: (KnownRun) -> Bool = { _ in false }) {
        guard let run else {
            self = .deleted
            return
        }
        self =
            switch run.stateType {
            case .scheduled, .paused: .waiting
            case .pending: isOurs(run) ? .ours : .pending
            case .running: .running
            case .cancelling: .cancelling
            case .cancelled: .cancelled
            case .completed, .failed: .ended
            default: .crashed
            }
    }
}
