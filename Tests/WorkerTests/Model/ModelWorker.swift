@testable import WorkerKit

/// The ledger's row of the run. The transitions follow from the attempt, which a row keeps.
struct ModelRow: Hashable {
    /// `nil` without a row.
    var stage: RunStage?
    var isSettled = false
    var end = RunMachine.End.unseen
}

/// A request on its way to the server. The request of a dead worker may still arrive.
struct ModelRequest: Hashable {
    enum Content: UInt8 {
        case none
        case claim
        case submission
        case mark
    }

    var content = Content.none
    var transition = ModelTransition.nobodys
    /// Whether the worker sent the request before, without an answer.
    var wasRepeated = false
    /// Whether the server has looked at the run and will write its verdict later.
    var isRead = false
    /// The number of the run's states when the server looked at it.
    var position: UInt8 = 0
}

/// One of the workers, from the poll to the removal of the row. Each of its parts has one byte, so that comparisons are
/// fast.
struct ModelWorker: Hashable {
    enum Life: UInt8 {
        case idle
        case dead
        /// The new process has found the row and has yet to read the run.
        case recovering
        /// The worker carries out the steps of its machine.
        case active
    }

    var life = Life.idle
    var attempt: UInt8 = 0
    var crashesLeft: UInt8 = 0
    /// The row, which survives a crash.
    var row = ModelRow()
    var request = ModelRequest()
    /// The request that the earlier process had sent.
    var ghost = ModelRequest()
    var isContestOn = false

    // A crash resets these properties.
    var machine = RunMachine()
    /// The state from the first of two reads: the worker reads the run, and then its history.
    var read = ModelState(kind: .scheduled)
    var hasRead = false
    /// Whether the start of the process is in progress.
    var isStarting = false
    /// The state that a recovery read first, for a worker that trusts this state.
    var firstRead = ModelState(kind: .scheduled)

    /// The step that the worker carries out next.
    var step: RunMachine.Step? { life == .active ? machine.step : nil }

    mutating func send(_ content: ModelRequest.Content, _ transition: ModelTransition) {
        request = ModelRequest(content: content, transition: transition)
    }

    /// Removes the row and drops the run. The next attempt has other transitions.
    mutating func release() {
        forget()
        row = ModelRow()
        attempt += 1
        life = .idle
    }

    /// Ends the process of the worker, and loses its knowledge. Its request may still arrive.
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
        /// The process exists and has set no state yet.
        case begun
        case running
        /// The process has set Completed and has yet to end.
        case concluded
        case ended
    }

    var life = Life.none
    /// The way in which the process ended.
    var end = RunMachine.End.unseen
    var count: UInt8 = 0
    /// Whether the server accepted Completed from the process.
    var hasCompleted = false
    /// The worker that created the process.
    var creator = ModelWorkerID.first
    /// Whether the process is being created. A crash of the worker need not stop its creation.
    var isBeingCreated = false

    var isAlive: Bool { life != .none && life != .ended }

    mutating func finish(_ end: RunMachine.End) {
        life = .ended
        self.end = end
    }
}
