import Glibc

@testable import WorkerKit

/// A violation that the model must not reach.
enum ModelBreach: UInt8 {
    case startedTwice
    case crashedAlthoughItCompleted
    case crashedWhileItRuns
    case cancelledWhileItRuns
    case reportedByAnotherWorker
    case finalStateOverwritten
    case rowLeft
    case strandedWithoutEnd
    case decisionUnreadable
    case resultImpossible
}

/// The server, the process and both workers at one moment. The value has no gaps between its bytes, so that it can be
/// compared and hashed quickly.
struct ModelWorld: Hashable {
    var server = ModelServer()
    var process = ModelProcess()
    var first = ModelWorker()
    var second = ModelWorker()
    var lossesLeft: UInt8 = 0
    var cancelsLeft: UInt8 = 0
    var breach: ModelBreach?

    static func == (left: ModelWorld, right: ModelWorld) -> Bool {
        withUnsafeBytes(of: left) { left in
            withUnsafeBytes(of: right) { right in
                guard let left = left.baseAddress, let right = right.baseAddress else { return false }
                return memcmp(left, right, MemoryLayout<ModelWorld>.size) == 0
            }
        }
    }

    func hash(into hasher: inout Hasher) {
        withUnsafeBytes(of: self) { hasher.combine(bytes: $0) }
    }

    subscript(id: ModelWorkerID) -> ModelWorker {
        get { id == .first ? first : second }
        set {
            if id == .first { first = newValue } else { second = newValue }
        }
    }
}

/// The claim, submission, crash and recovery of one flow run by two workers, in every order.
struct ClaimModel: ExplorableModel {
    typealias Visit = (_ step: ModelStep, _ isOptional: Bool, _ next: ModelWorld) -> Void

    let options: ModelOptions
    let decisions: ModelDecisions

    init(_ options: ModelOptions) {
        self.options = options
        decisions = ModelDecisions(options.mutation)
    }

    var beginning: ModelWorld {
        var world = ModelWorld()
        world.lossesLeft = options.losses
        world.cancelsLeft = options.isCancellable ? 1 : 0
        for id in [ModelWorkerID.first, .second] {
            world[id].crashesLeft = id == .second && options.onlyFirstCrashes ? 0 : options.crashes
            world[id].isContestOn = options.isContestOn(id)
        }
        if options.workers == 1 {
            world.second.attempt = options.attempts
            world.second.crashesLeft = 0
        }
        return world
    }

    func breach(in world: ModelWorld, isEnd: Bool) -> ModelBreach? {
        if let breach = world.breach { return breach }
        if world.process.count > 1 { return .startedTwice }
        if world.process.hasCompleted, world.server.state.kind == .crashed { return .crashedAlthoughItCompleted }
        guard isEnd else { return nil }
        if world.first.row.stage != nil || world.second.row.stage != nil { return .rowLeft }
        switch world.server.state.kind {
        case .scheduled, .completed, .crashed, .cancelled: return nil
        case .cancelling where options.serverEndsCancelling: return nil
        default: return .strandedWithoutEnd
        }
    }

    func visitNext(of world: ModelWorld, _ visit: Visit) {
        for id in [ModelWorkerID.first, .second] {
            visitServer(world, id, visit)
            visitWorker(world, id, visit)
            visitCrash(world, id, visit)
        }
        visitProcess(world, visit)
        visitUser(world, visit)
    }

    // MARK: Process and user

    private func visitProcess(_ world: ModelWorld, _ visit: Visit) {
        var next = world
        if world.process.isBeingCreated {
            next.process.isBeingCreated = false
            next.process.count += 1
            next.process.life = .begun
            visit(ModelStep("backend", "the process is created"), false, next)
            if options.submissionMayFail {
                next = world
                next.process.isBeingCreated = false
                visit(ModelStep("backend", "the process cannot be created"), true, next)
            }
            next = world
        }
        switch world.process.life {
        case .none, .ended: return
        case .begun:
            if next.server.propose(ModelState(kind: .running)) == .accepted {
                next.process.life = .running
                visit(ModelStep("process", "sets Running"), false, next)
            } else {
                next.process.finish(.aborted)
                visit(ModelStep("process", "is told not to begin, and ends"), false, next)
            }
        case .running:
            if next.server.propose(ModelState(kind: .completed)) == .accepted {
                next.process.life = .concluded
                next.process.hasCompleted = true
                visit(ModelStep("process", "sets Completed"), false, next)
            } else {
                next.process.finish(.aborted)
                visit(ModelStep("process", "is told that the run is not to complete, and ends"), false, next)
            }
        case .concluded:
            next.process.finish(.reported)
            visit(ModelStep("process", "ends as it should"), false, next)
        }
        for end in options.deaths {
            next = world
            next.process.finish(end)
            visit(ModelStep("process", end == .silent ? "ends without a word" : "is killed"), true, next)
        }
    }

    private func visitUser(_ world: ModelWorld, _ visit: Visit) {
        guard world.cancelsLeft > 0, !world.server.state.kind.isFinal else { return }
        var next = world
        next.cancelsLeft -= 1
        if world.server.state.kind != .scheduled, next.server.propose(ModelState(kind: .cancelling)) == .accepted {
            visit(ModelStep("user", "cancels: Cancelling"), true, next)
        }
        // The server sets Cancelled directly for a run without infrastructure that it knows of.
        guard world.server.state.kind == .scheduled || world.server.state.kind.isPending else { return }
        next = world
        next.cancelsLeft -= 1
        next.server.enter(ModelState(kind: .cancelled))
        visit(ModelStep("user", "cancels: Cancelled"), true, next)
    }

    // MARK: Crash

    private func visitCrash(_ world: ModelWorld, _ id: ModelWorkerID, _ visit: Visit) {
        let worker = world[id]
        var next = world
        if worker.ghost.content != .none {
            next[id].ghost = ModelRequest()
            visit(ModelStep(id.title, "what it had sent is lost"), false, next)
            next = world
        }
        if worker.life == .dead {
            guard worker.ghost.content == .none || options.ghostsMayBeLate else { return }
            next[id].life = .recovering
            visit(ModelStep(id.title, "starts anew, and finds the row"), false, next)
        } else if worker.crashesLeft > 0, worker.row.stage != nil {
            // The crash of a worker without a row would change nothing.
            next[id].crash(isContestOn: options.isContestOn(id))
            visit(ModelStep(id.title, "crashes"), true, next)
        }
    }
}
