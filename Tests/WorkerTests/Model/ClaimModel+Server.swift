@testable import WorkerKit

// The server's treatment of the requests in progress.
extension ClaimModel {
    /// The answer to a request, as the worker that sent it sees it.
    enum Answer {
        case yes
        case no
    }

    func visitServer(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        let worker = world[id]
        visitRequest(worker.request, isGhost: false, world, id, visit)
        visitRequest(worker.ghost, isGhost: true, world, id, visit)
    }

    private func visitRequest(
        _ request: ModelRequest, isGhost: Bool, _ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit
    ) {
        switch request.content {
        case .none: return
        case .claim, .submission: propose(request, isGhost, world, id, visit)
        case .mark:
            var next = world
            let isForFormerTime =
                options.flaws.contains(.marksFormerTime) && world[id].machine.isRecovered && !isGhost
                && world.server.formerMark != .nobodys
            let isTaken = isForFormerTime || !next.server.writeMark(request.transition)
            // The first request for a mark need not ask for the owner of an existing mark, unless an earlier process
            // may have put it there.
            let asks = request.wasRepeated || !options.flaws.contains(.forgetsOwnMark)
            let existing = isForFormerTime ? world.server.formerMark : world.server.mark
            let isOwn = asks && existing == request.transition
            deliver(isTaken && !isOwn ? .no : .yes, isGhost, next, id, visit)
        }
        if !isGhost, world.lossesLeft > 0 {
            var next = world
            next.lossesLeft -= 1
            visitLoss(of: request.content, next, id, ModelStep(id.title, "its request is lost"), visit)
        }
    }

    private func propose(
        _ request: ModelRequest, _ isGhost: Bool, _ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit
    ) {
        let isClaim = request.content == .claim
        let proposal = ModelState(kind: isClaim ? .pending : .submitting, transition: request.transition)
        let overlaps = isClaim ? options.overlap != .none : options.submissionsOverlap
        var next = world
        guard overlaps else {
            let verdict = next.server.propose(proposal)
            return deliver(verdict == .refused ? .no : .yes, isGhost, next, id, visit)
        }
        if request.isRead {
            if mayOverwrite(world.server.state.kind, isClaim: isClaim) {
                next.server.enter(proposal)
                deliver(.yes, isGhost, next, id, visit)
                guard request.position < world.server.history.count else { return }
                // The timestamp of the state may be that of the server's look, or that of the write.
                next = world
                next.server.enter(proposal, at: request.position)
                deliver(.yes, isGhost, next, id, visit)
            } else {
                let verdict = next.server.propose(proposal)
                deliver(verdict == .refused ? .no : .yes, isGhost, next, id, visit)
            }
            return
        }
        switch world.server.judge(proposal) {
        case .acceptedBefore: deliver(.yes, isGhost, next, id, visit)
        case .refused: deliver(.no, isGhost, next, id, visit)
        case .accepted:
            var read = request
            read.isRead = true
            read.position = world.server.history.count
            if isGhost { next[id].ghost = read } else { next[id].request = read }
            visit(
                ModelStep(
                    id.title,
                    isClaim
                        ? "the server looks at the run for its claim" : "the server looks at the run for its Submitting"
                ), false, next)
        }
    }

    /// Whether the server writes its earlier verdict although the run has another state now.
    private func mayOverwrite(_ kind: ModelState.Kind, isClaim: Bool) -> Bool {
        guard isClaim else { return kind == .scheduled || kind.isPending }
        return options.overlap == .lateClaims ? !kind.isFinal : kind == .scheduled || kind == .pending
    }

    /// Delivers the answer to a request. A living worker receives the answer, or the answer is lost.
    private func deliver(
        _ answer: Answer, _ isGhost: Bool, _ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit
    ) {
        var next = world
        let content = isGhost ? world[id].ghost.content : world[id].request.content
        if isGhost {
            next[id].ghost = ModelRequest()
            return visit(Self.step(id, content, answer, isGhost: true), false, next)
        }
        next[id].request = ModelRequest()
        if world.lossesLeft > 0 {
            var lost = next
            lost.lossesLeft -= 1
            let step = ModelStep(id.title, "its request is dealt with and the answer is lost")
            visitLoss(of: content, lost, id, step, visit)
        }
        visitAnswer(answer, to: content, next, id, Self.step(id, content, answer, isGhost: false), visit)
    }

    private static func step(
        _ id: ModelWorkerID, _ content: ModelRequest.Content, _ answer: Answer, isGhost: Bool
    ) -> ModelStep {
        switch (content, answer, isGhost) {
        case (.claim, .yes, false): ModelStep(id.title, "its claim is accepted")
        case (.claim, .yes, true): ModelStep(id.title, "the claim that it had sent is accepted")
        case (.submission, .yes, false): ModelStep(id.title, "its Submitting is accepted")
        case (.submission, .yes, true): ModelStep(id.title, "the Submitting that it had sent is accepted")
        case (.mark, .yes, false): ModelStep(id.title, "its mark is taken")
        case (.mark, .yes, true): ModelStep(id.title, "the mark that it had sent is taken")
        case (.claim, .no, false): ModelStep(id.title, "its claim is refused")
        case (.submission, .no, false): ModelStep(id.title, "its Submitting is refused")
        case (.mark, .no, false): ModelStep(id.title, "there is a mark already")
        default: ModelStep(id.title, "what it had sent is refused")
        }
    }
}
