@testable import Worker

// What a worker does by itself: `RunExecution`'s steps in their order.
extension ClaimModel {
    func visitWorker(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        var next = world
        let worker = world[id]
        if options.contest == .heardOfAnyTime, !worker.isContestOn, worker.doing != .dead {
            next[id].isContestOn = true
            visit(ModelStep(id.title, "hears of the other"), true, next)
            next = world
        }
        if isNoticed(worker), world.server.state.kind == .cancelling {
            next[id].isCancelled = true
            visit(ModelStep(id.title, "notices that the run is being cancelled"), true, next)
            next = world
        }
        switch worker.doing {
        case .dead, .claiming, .marking, .submitting: return
        case .idle: poll(world, id, visit)
        case .claimUnanswered: settleClaim(world, id, visit)
        case .markUnanswered:
            next[id].send(.mark, ownMark(id, worker))
            next[id].request.wasRepeated = true
            next[id].doing = .marking
            visit(ModelStep(id.title, "leaves its mark again"), false, next)
            guard options.flaws.contains(.givesUpMark) else { return }
            next = world
            confirm(&next, id)
            visit(ModelStep(id.title, "goes on without a mark"), false, next)
        case .configuring:
            next[id].enter(.configured)
            submit(&next, id)
            visit(ModelStep(id.title, "has configured the run, and sends Submitting"), false, next)
            guard options.submissionMayFail else { return }
            next = world
            next[id].doing = .proposingCrashed
            visit(ModelStep(id.title, "cannot configure the run"), true, next)
        case .submissionUnanswered:
            submit(&next, id)
            visit(ModelStep(id.title, "sends Submitting again"), false, next)
            next = world
            next[id].doing = .checking
            visit(ModelStep(id.title, "gives up to say Submitting"), false, next)
        case .checking: check(&next, id, visit)
        case .announced:
            if worker.isCancelled {
                next[id].doing = .proposingCancelled
                return visit(ModelStep(id.title, "does not start what is being cancelled"), false, next)
            }
            if !decisions.writesSubmittedAfterStart { next[id].enter(.submitted) }
            next[id].doing = .starting
            visit(ModelStep(id.title, "writes down that it starts the process"), false, next)
            guard options.mayShutDown else { return }
            next = world
            next[id].doing = .givingBack
            visit(ModelStep(id.title, "is told to leave"), true, next)
        case .givingBack:
            if !options.flaws.contains(.givesBackByForce) {
                guard world.server.state.kind != .cancelling else {
                    next[id].doing = .checking
                    return visit(ModelStep(id.title, "cannot give the run back"), false, next)
                }
                guard world.server.state.transition == ModelTransition(.submission, of: id, attempt: worker.attempt)
                else {
                    next[id].doing = .finishing
                    return visit(ModelStep(id.title, "has no run to give back"), false, next)
                }
            }
            if world.server.state.kind.isFinal { next.breach = .finalStateOverwritten }
            next.server.reschedule()
            next[id].doing = .finishing
            visit(ModelStep(id.title, "gives the run back"), false, next)
        case .starting:
            next.process.isBeingCreated = true
            next.process.creator = id
            next[id].doing = .launching
            visit(ModelStep(id.title, "has the process started"), false, next)
        case .launching: launch(&next, id, visit)
        case .watching: watch(world, id, visit)
        case .readingRunBeforeReport, .readingStatesBeforeReport, .readingRunAfterEnd, .proposingCrashed,
            .proposingCancelled:
            visitReport(world, id, visit)
        case .finishing:
            next[id].release()
            visit(ModelStep(id.title, "removes the row"), false, next)
        case .recovering, .readingRun, .readingStates, .deciding: visitRecovery(world, id, visit)
        }
    }

    private func isNoticed(_ worker: ModelWorker) -> Bool {
        switch worker.doing {
        case .dead, .idle, .claiming, .claimUnanswered, .finishing: false
        default: !worker.isCancelled && worker.row.stage != .none && worker.row.stage != .due
        }
    }

    func claim(_ id: ModelWorkerID, _ worker: ModelWorker) -> ModelTransition {
        ModelTransition(.claim, of: id, attempt: worker.attempt)
    }

    /// What a worker writes into the mark.
    func ownMark(_ id: ModelWorkerID, _ worker: ModelWorker) -> ModelTransition {
        let isFlawed = worker.isRecovered && options.flaws.contains(.forgetsOwnMark)
        return isFlawed ? worker.read.transition : claim(id, worker)
    }

    // MARK: Claim

    private func poll(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        let worker = world[id]
        guard worker.attempt < options.attempts, world.server.state.kind == .scheduled else { return }
        var next = world
        next[id].enter(.due)
        next[id].send(.claim, claim(id, worker))
        next[id].doing = .claiming
        visit(ModelStep(id.title, "finds the run by a poll, writes it down and claims it"), false, next)
    }

    /// No answer came: the proposal is made again, or the run is asked.
    private func settleClaim(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        let worker = world[id]
        let transition = claim(id, worker)
        var again = world
        again[id].send(.claim, transition)
        again[id].request.wasRepeated = true
        again[id].doing = .claiming
        visit(ModelStep(id.title, "claims again"), false, again)
        var next = world
        if world.server.state.transition == transition {
            hold(&next, id, claim: transition)
            visit(ModelStep(id.title, "reads that its claim was accepted"), false, next)
        } else if world.server.state.kind != .scheduled {
            next[id].release()
            visit(ModelStep(id.title, "reads that the run is not its own"), false, next)
        }
    }

    /// An answer has come.
    func receive(_ answer: Answer, to content: ModelRequest.Content, _ next: inout ModelWorld, _ id: ModelWorkerID) {
        switch (content, answer) {
        case (.none, _): return
        case (.claim, .yes): hold(&next, id, claim: claim(id, next[id]))
        case (.claim, .no):
            next[id].isContestOn = true
            next[id].release()
        case (.mark, .yes):
            next[id].isSettled = true
            confirm(&next, id)
        case (.mark, .no): next[id].release()
        case (.submission, .yes): next[id].doing = .announced
        case (.submission, .no): next[id].doing = .checking
        }
    }

    /// A claim was accepted: where others are about, the mark decides.
    func hold(_ next: inout ModelWorld, _ id: ModelWorkerID, claim: ModelTransition) {
        guard next[id].isContestOn else { return confirm(&next, id) }
        next[id].send(.mark, claim)
        next[id].doing = .marking
    }

    private func confirm(_ next: inout ModelWorld, _ id: ModelWorkerID) {
        next[id].enter(.claimed)
        next[id].doing = .configuring
    }

    // MARK: Submit

    private func submit(_ next: inout ModelWorld, _ id: ModelWorkerID) {
        next[id].send(.submission, ModelTransition(.submission, of: id, attempt: next[id].attempt))
        next[id].doing = .submitting
    }

    /// Reads the run and goes on if it is still this worker's.
    private func check(_ next: inout ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        let state = next.server.state
        switch state.kind {
        case .pending, .submitting:
            if ask(&next, { try decisions.mayGoOn(in: state, id, $0[id]) }) == true {
                next[id].doing = .announced
                return visit(ModelStep(id.title, "reads that the run is still its own"), false, next)
            }
            next[id].doing = .finishing
        case .cancelling:
            let standing = ask(&next) { try decisions.standing(of: state, $0.server.history, id, $0[id]) }
            let isOurs = standing?.isOurs == true || options.flaws.contains(.cancelsUnasked)
            next[id].doing = isOurs ? .proposingCancelled : .finishing
        default: next[id].doing = .finishing
        }
        visit(ModelStep(id.title, "reads that it may not go on"), false, next)
    }

    /// A decision of the program; what cannot be asked is a breach of the model itself.
    func ask<Answer>(_ next: inout ModelWorld, _ question: (ModelWorld) throws -> Answer) -> Answer? {
        do {
            return try question(next)
        } catch {
            next.breach = .decisionUnreadable
            return nil
        }
    }

    private func launch(_ next: inout ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        guard !next.process.isBeingCreated else { return }
        if next.process.life == .none {
            next[id].doing = .proposingCrashed
            return visit(ModelStep(id.title, "hears that the process could not be created"), false, next)
        }
        next[id].enter(.running)
        next[id].doing = .watching
        visit(ModelStep(id.title, "writes down that the process is there"), false, next)
    }

    // MARK: Watch

    private func watch(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        let worker = world[id]
        var next = world
        if world.process.life == .ended {
            // How a process ended that is no child of the worker's may remain unknown.
            for end in worker.isRecovered ? [world.process.end, .unseen] : [world.process.end] {
                next[id].exit = end
                next[id].enter(.exited)
                if worker.isRecovered { next[id].doing = .readingRunBeforeReport } else { beginReport(&next, id) }
                visit(ModelStep(id.title, "sees the end of the process and writes it down"), false, next)
            }
        } else if worker.isCancelled {
            next.process.finish(.failed)
            visit(ModelStep(id.title, "stops the process"), false, next)
        }
    }
}
