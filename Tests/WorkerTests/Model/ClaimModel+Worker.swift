import BackendKit

@testable import WorkerKit

// The actions of a worker: it carries out the steps of its `RunMachine` on the model's server and process.
extension ClaimModel {
    func visitWorker(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        let worker = world[id]
        var next = world
        if options.contest == .heardOfAnyTime, !worker.isContestOn, worker.life != .dead {
            next[id].isContestOn = true
            visit(ModelStep(id.title, "hears of the other"), true, next)
            next = world
        }
        if isNoticed(worker), world.server.state.kind == .cancelling {
            next[id].machine.requestStop(.cancelled)
            visit(ModelStep(id.title, "notices that the run is being cancelled"), true, next)
            next = world
        }
        switch worker.life {
        case .dead: return
        case .idle: poll(world, id, visit)
        case .recovering:
            guard let stage = worker.row.stage else { return }
            next[id].machine = RunMachine(recoveredAt: stage, isSettled: worker.row.isSettled, isGivenUp: false)
            if options.flaws.needFirstReading { next[id].firstRead = world.server.state }
            next[id].life = .active
            visit(ModelStep(id.title, "reads the run to recover it"), false, next)
        case .active: carryOut(worker.machine.step, world, id, visit)
        }
    }

    private func isNoticed(_ worker: ModelWorker) -> Bool {
        guard let step = worker.step, worker.machine.stopReason != .cancelled else { return false }
        return step != .finished && step != .left
    }

    func claim(_ id: ModelWorkerID, _ worker: ModelWorker) -> ModelTransition {
        ModelTransition(.claim, of: id, attempt: worker.attempt)
    }

    /// The value that a worker writes into the mark.
    func ownMark(_ id: ModelWorkerID, _ worker: ModelWorker) -> ModelTransition {
        let isFlawed = worker.machine.isRecovered && options.flaws.contains(.forgetsOwnMark)
        return isFlawed ? worker.firstRead.transition : claim(id, worker)
    }

    private func poll(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        guard world[id].attempt < options.attempts, world.server.state.kind == .scheduled else { return }
        var next = world
        next[id].life = .active
        next[id].row.stage = .due
        visit(ModelStep(id.title, "finds the run by a poll, and writes it down"), false, next)
    }

    // MARK: Results of steps

    /// Passes a result to the machine and records the stage of the run, as the driver does. Skips steps that neither
    /// read nor change the run.
    func take(_ event: RunMachine.Event, _ next: inout ModelWorld, _ id: ModelWorkerID) {
        var machine = next[id].machine
        if !machine.handle(event) { next.breach = .resultImpossible }
        while [.noteCancelled, .conclude, .cleanUp].contains(machine.step) {
            if !machine.handle(.done) { next.breach = .resultImpossible }
        }
        if case .ended(let end) = event { next[id].row.end = end }
        next[id].machine = machine
        next[id].hasRead = false
        next[id].read = ModelState(kind: .scheduled)
        guard machine.step != .start || !decisions.writesSubmittedAfterStart else { return }
        next[id].row.stage = machine.stage
        next[id].row.isSettled = machine.isSettled
    }

    /// Visits the world after a result. The worker may also have received a request to shut down before the result.
    private func visitTaking(
        _ event: RunMachine.Event, _ world: ModelWorld, _ id: ModelWorkerID, _ step: ModelStep, _ visit: Visit
    ) {
        var next = world
        take(event, &next, id)
        visit(step, false, next)
        guard options.mayShutDown, next[id].step == .start else { return }
        next = world
        next[id].machine.requestStop(.shutdown)
        take(event, &next, id)
        visit(ModelStep(id.title, "is asked to shut down, and does not start the run"), true, next)
    }

    /// Visits the world after an answer.
    func visitAnswer(
        _ answer: Answer, to content: ModelRequest.Content, _ world: ModelWorld, _ id: ModelWorkerID,
        _ step: ModelStep, _ visit: Visit
    ) {
        var world = world
        switch (content, answer) {
        case (.none, _): return
        case (.claim, .no):
            world[id].isContestOn = true
            let isCancelling = world.server.state.kind == .cancelling
            visitTaking(isCancelling ? .refusedForCancellation : .refused, world, id, step, visit)
        case (.mark, .no), (.submission, .no): visitTaking(.refused, world, id, step, visit)
        case (.mark, .yes): visitTaking(.settled, world, id, step, visit)
        case (.claim, .yes), (.submission, .yes): visitTaking(.done, world, id, step, visit)
        }
    }

    /// Visits the world without an answer: the worker sends the request again, or reads the run.
    func visitLoss(
        of content: ModelRequest.Content, _ world: ModelWorld, _ id: ModelWorkerID, _ step: ModelStep, _ visit: Visit
    ) {
        var next = world
        next[id].request = ModelRequest()
        next[id].request.wasRepeated = content == .mark
        visit(step, true, next)
        guard content == .claim || content == .submission, world[id].step != .claimAgain else { return }
        next = world
        next[id].request = ModelRequest()
        take(.unanswered(again: false), &next, id)
        visit(step, true, next)
    }

    // MARK: Carrying out

    private func carryOut(_ step: RunMachine.Step, _ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        switch step {
        case .claim, .claimAgain: send(.claim, claim(id, world[id]), "claims the run", world, id, visit)
        case .settle: settle(world, id, visit)
        case .submit:
            let transition = ModelTransition(.submission, of: id, attempt: world[id].attempt)
            send(.submission, transition, "sends Submitting", world, id, visit)
        case .readAfterClaim: readAfterClaim(world, id, visit)
        case .readBeforeSubmission, .readAfterSubmission:
            guard let reading = readToContinue(world, id) else { return }
            visitTaking(.read(reading), world, id, ModelStep(id.title, "reads whether it may start the run"), visit)
        case .readStatus, .readCancelling, .readBeforeReport: readStatus(world, id, visit)
        case .configure: configure(world, id, visit)
        case .start: start(world, id, visit)
        case .findInfrastructure, .findInterrupted: find(world, id, visit)
        case .giveBack: giveBack(world, id, visit)
        case .watch: watch(world, id, visit)
        case .readAfterEnd:
            var next = world
            take(.read(reading(world.server.state.kind)), &next, id)
            visit(ModelStep(id.title, "reads what the run's state is"), false, next)
        case .crash, .crashUnstarted: crash(world, id, visit)
        case .cancel, .cancelUnstarted, .cancelWithoutDeployment: cancel(world, id, visit)
        case .finished:
            var next = world
            next[id].release()
            visit(ModelStep(id.title, "removes the row"), false, next)
        case .left:
            var next = world
            next[id].leave()
            visit(ModelStep(id.title, "keeps the row"), false, next)
        case .noteCancelled, .conclude, .cleanUp, .reportGivenUp, .endGivenUp: return
        }
    }

    private func send(
        _ content: ModelRequest.Content, _ transition: ModelTransition, _ deed: StaticString, _ world: ModelWorld,
        _ id: ModelWorkerID, _ visit: Visit
    ) {
        guard world[id].request.content == .none else { return }
        var next = world
        let wasRepeated = world[id].request.wasRepeated
        next[id].send(content, transition)
        next[id].request.wasRepeated = wasRepeated
        visit(ModelStep(id.title, deed), false, next)
    }

    private func settle(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        let worker = world[id]
        guard worker.request.content == .none else { return }
        var next = world
        if !worker.isContestOn {
            take(.done, &next, id)
            return visit(ModelStep(id.title, "sees no other worker"), false, next)
        }
        send(.mark, ownMark(id, worker), "leaves its mark", world, id, visit)
        guard options.flaws.contains(.givesUpMark), worker.request.wasRepeated else { return }
        next[id].request = ModelRequest()
        take(.done, &next, id)
        visit(ModelStep(id.title, "continues without a mark"), false, next)
    }

    private func readAfterClaim(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        var next = world
        let state = world.server.state
        var reading = reading(state.kind)
        if reading == .pending, state.transition == claim(id, world[id]) { reading = .ours }
        take(.read(reading), &next, id)
        visit(ModelStep(id.title, "reads what has come of its claim"), false, next)
    }

    private func configure(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        var next = world
        take(.done, &next, id)
        visit(ModelStep(id.title, "has configured the run"), false, next)
        guard options.submissionMayFail else { return }
        next = world
        take(.failed, &next, id)
        visit(ModelStep(id.title, "cannot configure the run"), true, next)
    }

    private func start(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        var next = world
        guard world[id].isStarting else {
            next[id].isStarting = true
            next.process.isBeingCreated = true
            next.process.creator = id
            return visit(ModelStep(id.title, "has the process started"), false, next)
        }
        next[id].isStarting = false
        if world[id].machine.stopReason == .cancelled {
            take(.interrupted, &next, id)
            visit(ModelStep(id.title, "does not wait for the start of a run that is being cancelled"), true, next)
            next = world
            next[id].isStarting = false
        }
        guard !world.process.isBeingCreated else { return }
        let isCreated = world.process.life != .none
        take(isCreated ? .done : .failed, &next, id)
        let step =
            isCreated
            ? ModelStep(id.title, "writes down that the process is there")
            : ModelStep(id.title, "hears that the process could not be created")
        visit(step, false, next)
    }

    /// Asks the backend for the infrastructure that this worker has started. The backend also prevents its later
    /// creation.
    private func find(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        var next = world
        let infrastructure: RunMachine.Infrastructure
        if world[id].machine.stage == .exited {
            infrastructure = .ended(world[id].row.end)
        } else if next.process.creator != id {
            infrastructure = .neverStarted
        } else {
            next.process.isBeingCreated = false
            infrastructure =
                switch next.process.life {
                case .none: .neverStarted
                case .ended: .ended(.unseen)
                default: .present
                }
        }
        take(.found(infrastructure), &next, id)
        visit(ModelStep(id.title, "asks the backend for the process"), false, decided(next, id))
    }

    private func giveBack(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        var next = world
        if !options.flaws.contains(.givesBackByForce) {
            guard let reading = readToContinue(world, id) else { return }
            guard reading == .ours else {
                take(reading == .cancelling ? .read(.cancelling) : .done, &next, id)
                return visit(ModelStep(id.title, "cannot give the run back"), false, next)
            }
        }
        if world.server.state.kind.isFinal { next.breach = .finalStateOverwritten }
        next.server.reschedule()
        take(.done, &next, id)
        visit(ModelStep(id.title, "gives the run back"), false, next)
    }
}
