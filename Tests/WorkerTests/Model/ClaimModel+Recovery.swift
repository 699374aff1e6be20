@testable import Worker

// What a worker says about the end of a run, and what it does with one that its earlier process has left.
extension ClaimModel {
    func visitReport(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        var next = world
        let worker = world[id]
        switch worker.doing {
        case .readingRunBeforeReport:
            next[id].standing = world.server.state
            next[id].doing = .readingStatesBeforeReport
            visit(ModelStep(id.title, "reads the run before it reports"), false, next)
        case .readingStatesBeforeReport:
            let standing = ask(&next) { try decisions.standing(of: worker.standing, $0.server.history, id, worker) }
            let isActive = standing.map { [.pending, .running, .cancelling].contains($0.situation) } ?? false
            if standing?.isOurs == true, isActive {
                beginReport(&next, id)
            } else {
                next[id].doing = .finishing
            }
            visit(ModelStep(id.title, "reads the run's states before it reports"), false, next)
        case .readingRunAfterEnd:
            next[id].doing = conclusion(worker, world.server.state.kind)
            visit(ModelStep(id.title, "reads what the run's state is"), false, next)
        case .proposingCrashed:
            if world.process.isAlive { next.breach = .crashedWhileItRuns }
            switch next.server.propose(ModelState(kind: .crashed)) {
            case .accepted: next[id].doing = .finishing
            case .refused where world.server.state.kind == .cancelling: next[id].doing = .proposingCancelled
            default:
                next.breach = nil
                next[id].doing = .finishing
            }
            visit(ModelStep(id.title, "proposes Crashed"), false, next)
        default:
            if world.process.isAlive { next.breach = .cancelledWhileItRuns }
            if world.server.state.kind.isFinal, world.server.state.kind != .cancelled {
                next.breach = .finalStateOverwritten
            }
            next.server.enter(ModelState(kind: .cancelled))
            next[id].doing = .finishing
            visit(ModelStep(id.title, "sets Cancelled"), false, next)
        }
    }

    /// What is known of the end tells whether the run has to be looked at before anything is said.
    func beginReport(_ next: inout ModelWorld, _ id: ModelWorkerID) {
        if next.process.creator != id { next.breach = .reportedByAnotherWorker }
        next[id].doing =
            switch next[id].exit {
            case .reported where !next[id].isCancelled: .finishing
            case .failed where !next[id].isCancelled: .proposingCrashed
            default: .readingRunAfterEnd
            }
    }

    /// What is to be said of an end that the run's state decides about.
    private func conclusion(_ worker: ModelWorker, _ kind: ModelState.Kind) -> ModelWorker.Doing {
        if worker.isCancelled { return kind.isFinal ? .finishing : .proposingCancelled }
        switch kind {
        case .cancelling: return .proposingCancelled
        case .running, .pending, .submitting: return worker.exit == .aborted ? .finishing : .proposingCrashed
        default: return .finishing
        }
    }

    // MARK: Recovery

    func visitRecovery(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        var next = world
        let worker = world[id]
        switch worker.doing {
        case .recovering:
            next[id].read = world.server.state
            next[id].doing = .readingRun
            visit(ModelStep(id.title, "reads the run to take it up"), false, next)
        case .readingRun:
            next[id].standing = world.server.state
            next[id].doing = .readingStates
            visit(ModelStep(id.title, "reads how the run stands"), false, next)
        case .readingStates:
            let standing = ask(&next) { try decisions.standing(of: worker.standing, $0.server.history, id, worker) }
            next[id].isOurs = standing?.isOurs ?? false
            next[id].doing = .deciding
            visit(ModelStep(id.title, "reads the run's states"), false, next)
        default:
            let remains = remains(&next, id)
            let isOurs = worker.isOurs
            guard
                let situation = ask(
                    &next, { try decisions.standing(of: worker.standing, $0.server.history, id, worker) })
            else { return }
            let standing = RunStanding(
                situation: situation.situation, isOurs: isOurs, mayBeClaimed: situation.mayBeClaimed)
            decide(decisions.recovery(standing, remains), standing, next, id, visit)
        }
    }

    /// What the backend finds of what this worker started; it also sees to it that nothing more comes.
    private func remains(_ next: inout ModelWorld, _ id: ModelWorkerID) -> InfrastructureRemains {
        let row = next[id].row
        guard [.submitted, .running, .exited].contains(row.stage) else { return .neverStarted }
        let identifier = InfrastructureIdentifier(rawValue: "process")
        if row.stage == .exited { return .ended(identifier) }
        guard next.process.creator == id else { return .neverStarted }
        next.process.isBeingCreated = false
        switch next.process.life {
        case .none: return .neverStarted
        case .ended: return .ended(identifier)
        default: return .running(identifier)
        }
    }

    private func decide(
        _ decision: RecoveryDecision, _ standing: RunStanding, _ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit
    ) {
        var next = world
        switch decision {
        case .claim where !options.flaws.contains(.forgetsUnansweredClaim):
            next[id].send(.claim, claim(id, next[id]))
            next[id].doing = .claiming
            visit(ModelStep(id.title, "claims the run again by the same transition"), false, next)
        case .forget, .claim:
            next[id].release()
            visit(ModelStep(id.title, "decides to forget the run"), false, next)
        case .goOn:
            if next[id].row.stage == .due {
                guard !options.flaws.contains(.trustsFirstReading) || next[id].read.kind.isPending else {
                    next[id].release()
                    return visit(
                        ModelStep(id.title, "decides to go on, but had read that it has not claimed"), false, next)
                }
                hold(&next, id, claim: ownMark(id, next[id]))
            } else {
                next[id].doing = .configuring
            }
            visit(ModelStep(id.title, "decides to go on"), false, next)
        case .watch:
            next[id].enter(.running)
            if standing.situation == .cancelling { next[id].isCancelled = true }
            next[id].doing = .watching
            visit(ModelStep(id.title, "decides to watch the process"), false, next)
        case .report:
            next[id].exit = next[id].row.exit == .none ? .unseen : next[id].row.exit
            next[id].enter(.exited)
            next[id].doing = .readingRunBeforeReport
            visit(ModelStep(id.title, "decides to report the end"), false, next)
        case .cancel:
            next[id].doing = .proposingCancelled
            visit(ModelStep(id.title, "decides to cancel the run"), false, next)
        case .keep:
            next[id].doing = .idle
            next[id].attempt += 1
            visit(ModelStep(id.title, "keeps the row"), false, next)
        }
    }
}
