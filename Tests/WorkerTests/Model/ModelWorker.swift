@testable import Worker

/// What the ledger holds of the run. The transitions follow from the attempt, which a row keeps.
struct ModelRow: Hashable {
    enum Stage: UInt8 {
        case none
        case due
        case claimed
        case configured
        case submitted
        case running
        case exited

        var runStage: RunStage {
            switch self {
            case .none, .due: .due
            case .claimed: .claimed
            case .configured: .configured
            case .submitted: .submitted
            case .running: .running
            case .exited: .exited
            }
        }
    }

    var stage = Stage.none
    var isSettled = false
    var hasIdentifier = false
    var exit = ModelProcess.End.none
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
    /// What it does next, or waits for.
    enum Doing: UInt8 {
        case idle
        case dead
        // Claim
        case claiming
        case claimUnanswered
        case marking
        case markUnanswered
        // Configure and submit
        case configuring
        case submitting
        case submissionUnanswered
        case checking
        case announced
        case givingBack
        case starting
        case launching
        // Watch and report
        case watching
        case readingRunBeforeReport
        case readingStatesBeforeReport
        case readingRunAfterEnd
        case proposingCrashed
        case proposingCancelled
        case finishing
        // Recovery
        case recovering
        case readingRun
        case readingStates
        case deciding
    }

    var doing = Doing.idle
    var attempt: UInt8 = 0
    var crashesLeft: UInt8 = 0
    /// What survives a crash.
    var row = ModelRow()
    var request = ModelRequest()
    /// What its earlier process had sent.
    var ghost = ModelRequest()
    var isContestOn = false

    // What a crash forgets.
    var isSettled = false
    var isRecovered = false
    var isCancelled = false
    var exit = ModelProcess.End.none
    /// The state that was read first in a recovery, and the one that its standing is of.
    var read = ModelState(kind: .scheduled)
    var standing = ModelState(kind: .scheduled)
    var isOurs = false

    /// Writes down how far the run is, with what is known of it.
    mutating func enter(_ stage: ModelRow.Stage) {
        row.stage = stage
        row.isSettled = isSettled
        row.exit = exit
        if stage == .running || stage == .exited { row.hasIdentifier = true }
    }

    mutating func send(_ content: ModelRequest.Content, _ transition: ModelTransition) {
        request = ModelRequest(content: content, transition: transition)
    }

    /// Removes the row and lets go of the run. The next try has other transitions.
    mutating func release() {
        forget()
        row = ModelRow()
        attempt += 1
        doing = .idle
    }

    /// What a process of the worker knows goes with it.
    mutating func crash(isContestOn: Bool) {
        ghost = request
        forget()
        self.isContestOn = isContestOn
        crashesLeft -= 1
        doing = .dead
    }

    private mutating func forget() {
        request = ModelRequest()
        isSettled = false
        isRecovered = false
        isCancelled = false
        exit = .none
        read = ModelState(kind: .scheduled)
        standing = ModelState(kind: .scheduled)
        isOurs = false
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

    /// How it ended, as far as a worker can see.
    enum End: UInt8 {
        case none
        /// It has set the run's state itself.
        case reported
        /// The API told it not to go on.
        case aborted
        /// Without a word, with the code 0.
        case silent
        /// With another code, or by a signal.
        case failed
        /// Nobody saw it.
        case unseen
    }

    var life = Life.none
    var end = End.none
    var count: UInt8 = 0
    /// Whether its Completed was accepted.
    var hasCompleted = false
    /// Who created it.
    var creator = ModelWorkerID.first
    /// Whether somebody is creating it, which a crash of the worker need not stop.
    var isBeingCreated = false

    var isAlive: Bool { life != .none && life != .ended }

    mutating func finish(_ end: End) {
        life = .ended
        self.end = end
    }
}
