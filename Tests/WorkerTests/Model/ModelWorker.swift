@testable import Worker

/// What the ledger holds of the run. The transitions follow from the attempt, which a row keeps.
struct ModelRow: Hashable {
    /// `nil` without a row.
    var stage: RunStage?
    var isSettled = false
    var end = RunMachine.End.unseen
}

/// A request that is under way to the server. What a worker that died had sent may still come.
struct ModelRequest: Hashable {
    enum Content: UInt8 {
        case none
        case claim
        case submission
        case mark
    }

    var content = Content.none
    var transition = ModelTransition.nobodys
    /// Whether it was sent before, without an answer.
    var wasRepeated = false
    /// Whether the server has looked at the run and is about to write what it thinks of it then.
    var isRead = false
    /// How many states the run had when it looked.
    var position: UInt8 = 0
}

/// One of the workers, from the poll to the row's removal. Everything in it is of one byte, so that it is compared fast.
struct ModelWorker: Hashable {
    enum Life: UInt8 {
        case idle
        case dead
        /// Its new process has found the row and has yet to read the run.
        case recovering
        /// It carries out the steps of its machine.
        case active
    }

    var life = Life.idle
    var attempt: UInt8 = 0
    var crashesLeft: UInt8 = 0
    /// What survives a crash.
    var row = ModelRow()
    var request = ModelRequest()
    /// What its earlier process had sent.
    var ghost = ModelRequest()
    var isContestOn = false

    // What a crash forgets.
    var machine = RunMachine()
    /// The state that was read first of two things: the run, then its history.
    var read = ModelState(kind: .scheduled)
    var hasRead = false
    /// Whether the start of the process is under way.
    var isStarting = false
    /// The state that a recovery has read before anything else; kept for a worker that trusts it.
    var firstRead = ModelState(kind: .scheduled)

    /// The step that it carries out next.
    var step: RunMachine.Step? { life == .active ? machine.step : nil }

    mutating func send(_ content: ModelRequest.Content, _ transition: ModelTransition) {
        request = ModelRequest(content: content, transition: transition)
    }

    /// Removes the row and lets go of the run. The next try has other transitions.
    mutating func release() {
        forget()
        row = ModelRow()
        attempt += 1
        life = .idle
    }

    /// What a process of the worker knows goes with it.
    mutating func crash(isContestOn: Bool) {
        ghost = request
        forget()
        self.isContestOn = isContestOn
        crashesLeft -= 1
        life = .dead
    }

    /// Keeps the row for a later process.
    mutating func leave() {
        forget()
        attempt += 1
        life = .idle
    }

    private mutating func forget() {
        request = ModelRequest()
        machine = RunMachine()
        read = ModelState(kind: .scheduled)
        hasRead = false
        isStarting = false
        firstRead = ModelState(kind: .scheduled)
    }
}

/// The infrastructure of the run.
struct ModelProcess: Hashable {
    enum Life: UInt8 {
        case none
        /// It is there and has said nothing yet.
        case begun
        case running
        /// It has said that the run is completed, and is about to go.
        case concluded
        case ended
    }

    var life = Life.none
    /// How it ended.
    var end = RunMachine.End.unseen
    var count: UInt8 = 0
    /// Whether its Completed was accepted.
    var hasCompleted = false
    /// Who created it.
    var creator = ModelWorkerID.first
    /// Whether somebody is creating it, which a crash of the worker need not stop.
    var isBeingCreated = false

    var isAlive: Bool { life != .none && life != .ended }

    mutating func finish(_ end: RunMachine.End) {
        life = .ended
        self.end = end
    }
}
