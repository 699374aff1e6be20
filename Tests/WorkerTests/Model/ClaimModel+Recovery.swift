import BackendKit

@testable import WorkerKit

// The reads and reports of a worker, and its recovery of a run that its earlier process held.
extension ClaimModel {
    /// A state in the form that `RunMachine` takes. A Pending counts as another worker's.
    func reading(_ kind: ModelState.Kind) -> RunMachine.Reading {
        switch kind {
        case .scheduled: .waiting
        case .pending, .submitting: .pending
        case .running: .running
        case .cancelling: .cancelling
        case .cancelled: .cancelled
        case .completed: .ended
        case .crashed: .crashed
        }
    }

    /// The run's state, with the program's own decision about the owner of a Pending; `nil` when the program cannot
    /// decide.
    func readToContinue(_ world: ModelWorld, _ id: ModelWorkerID) -> RunMachine.Reading? {
        let state = world.server.state
        guard state.kind.isPending else { return reading(state.kind) }
        return (try? decisions.mayContinue(in: state, id, world[id])).map { $0 ? .ours : .pending }
    }

    /// Reads the run, and in a second step the history of its states.
    func readStatus(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        var next = world
        let worker = world[id]
        guard worker.hasRead else {
            next[id].read = world.server.state
            next[id].hasRead = true
            return visit(ModelStep(id.title, "reads the run"), false, next)
        }
        do {
            var status = try decisions.status(of: worker.read, world.server.history, id, worker)
            if worker.machine.step == .readCancelling, options.flaws.contains(.cancelsUnasked) {
                status = RunStatus(situation: status.situation, isOurs: true)
            }
            let isRecovery = worker.machine.step == .readStatus
            if isRecovery, worker.machine.stage != .submitted, worker.machine.stage != .running {
                status = decisions.mutated(status)
            }
            take(.status(status), &next, id)
            if isRecovery { next = decided(next, id) }
        } catch {
            next.breach = .decisionUnreadable
        }
        visit(ModelStep(id.title, "reads the run's states"), false, next)
    }

    /// The world after the decision of a recovery. A flawed worker may forget the run instead.
    func decided(_ world: ModelWorld, _ id: ModelWorkerID) -> ModelWorld {
        var next = world
        let worker = world[id]
        guard worker.machine.isRecovered else { return world }
        let distrusts = !worker.firstRead.kind.isPending
        switch worker.machine.step {
        case .claim where options.flaws.contains(.forgetsUnansweredClaim),
            .settle where options.flaws.contains(.trustsFirstReading) && distrusts,
            .settle where decisions.forgetsInsteadOfGoingOn, .configure where decisions.forgetsInsteadOfGoingOn:
            next[id].release()
        default: break
        }
        return next
    }

    // MARK: Watch

    func watch(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        let worker = world[id]
        var next = world
        if world.process.life == .ended {
            // The exit status of a process that is not the worker's child may stay unknown.
            let known = world.process.end
            for end in worker.machine.isRecovered && known != .unseen ? [known, .unseen] : [known] {
                next = world
                if next.process.creator != id { next.breach = .reportedByAnotherWorker }
                take(.ended(end), &next, id)
                visit(ModelStep(id.title, "sees the end of the process and writes it down"), false, next)
            }
        } else if worker.machine.stopReason == .cancelled {
            next.process.finish(.failed)
            visit(ModelStep(id.title, "stops the process"), false, next)
        }
    }

    // MARK: Report

    func crash(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        var next = world
        switch next.server.propose(ModelState(kind: .crashed)) {
        case .accepted, .acceptedBefore:
            if world.process.isAlive { next.breach = .crashedWhileItRuns }
            take(.done, &next, id)
        case .refused:
            take(world.server.state.kind == .cancelling ? .refusedForCancellation : .refused, &next, id)
        }
        visit(ModelStep(id.title, "proposes Crashed"), false, next)
    }

    func cancel(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        var next = world
        if world.process.isAlive { next.breach = .cancelledWhileItRuns }
        if world.server.state.kind.isFinal, world.server.state.kind != .cancelled {
            next.breach = .finalStateOverwritten
        }
        next.server.enter(ModelState(kind: .cancelled))
        take(.done, &next, id)
        visit(ModelStep(id.title, "sets Cancelled"), false, next)
    }
}
