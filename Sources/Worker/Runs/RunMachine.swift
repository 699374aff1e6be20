/// The path of one flow run through this worker, as a value: where the run is, and where each event takes it.
///
/// ``Step`` lists the steps in the order in which a run takes them. ``RunDriver`` carries the current step out and hands
/// its result to ``handle(_:)``. Recovery is the same machine, begun from a row of the ledger. Nothing here waits, asks or
/// logs, so that the tests' model explores this value itself, with two workers and a crash at every step.
struct RunMachine: Sendable, Hashable {
    /// What is to be done next about the run.
    enum Step: UInt8, Sendable, Hashable, CaseIterable {
        // Recovery: only for a run that an earlier process of the worker held.
        /// Read what the API knows of the run.
        case readStatus
        /// Ask the backend which infrastructure the run has.
        case findInfrastructure
        /// Propose Crashed for a run of which the process died too often.
        case reportGivenUp
        /// Stop the infrastructure of such a run.
        case endGivenUp

        // Claim
        /// Propose Pending.
        case claim
        /// The claim had no answer: read whose the run is.
        case readAfterClaim
        /// The claim did not reach the API: propose it again until there is an answer.
        case claimAgain
        /// Decide, where other workers serve the pool, whose of several accepted claims counts.
        case settle

        // Configure
        /// Read the run's parts and make its job configuration.
        case configure

        // Submit
        /// Propose Submitting.
        case submit
        /// Submitting was not accepted: read whether the run is still this worker's.
        case readAfterSubmission
        /// The run is being cancelled: read whether it is this worker's to cancel.
        case readCancelling
        /// Create the infrastructure.
        case start
        /// The start was interrupted: ask the backend what it created.
        case findInterrupted

        // The end of a run that has no infrastructure
        /// Set Cancelled.
        case cancelUnstarted
        /// Set Cancelled, since the run's deployment was deleted.
        case cancelOrphaned
        /// Propose Crashed, since the run cannot be configured or started.
        case crashUnstarted
        /// Plan the run anew for another worker, since this one shuts down.
        case giveBack

        // Watch
        /// Wait for the end of the infrastructure, and stop it when that is asked for.
        case watch

        // Report
        /// An earlier process held the run: read whether it is still this worker's to report.
        case readBeforeReport
        /// Read the run's state, which decides what is to be reported.
        case readAfterEnd
        /// Propose Crashed, and run the hooks for that.
        case crash
        /// Run the hooks for a cancellation, and set Cancelled.
        case cancel
        /// Send the event of a run that set Cancelled itself.
        case noteCancelled
        /// Send the event of the end.
        case conclude
        /// Remove what the run leaves behind.
        case cleanUp

        // Nothing is left to be done.
        /// Remove the run from the ledger.
        case finished
        /// Keep the run in the ledger for the next process.
        case left
    }

    /// What carrying out a step has brought.
    enum Event: Sendable, Hashable {
        /// The step is done, or its proposal was accepted.
        case done
        /// The claim's mark is this worker's; `done` says that none was needed.
        case settled
        /// The proposal was refused, or somebody else has the run.
        case refused
        /// The proposal was refused because the run is being cancelled.
        case refusedForCancellation
        /// No answer came. `again` says whether the same proposal is to be made once more.
        case unanswered(again: Bool)
        /// The run was deleted.
        case deleted
        /// The run's deployment was deleted.
        case deploymentDeleted
        /// The step cannot succeed.
        case failed
        /// The start was interrupted by a request to stop.
        case interrupted
        /// The run was read.
        case read(Reading)
        /// The run was read with all the states that it had.
        case status(RunStatus)
        /// The backend has looked for the run's infrastructure.
        case found(Infrastructure)
        /// The infrastructure has ended.
        case ended(End)
    }

    /// The state of a run as it was read.
    enum Reading: UInt8, Sendable, Hashable, CaseIterable {
        case deleted
        /// Scheduled, or paused.
        case waiting
        /// Pending, and this worker's to go on with.
        case ours
        /// Pending by another worker's claim.
        case pending
        case running
        case cancelling
        case cancelled
        /// Completed or Failed: a word of the run's own.
        case ended
        case crashed
    }

    /// What a backend found of a run's infrastructure.
    enum Infrastructure: Sendable, Hashable {
        case neverStarted
        case present
        case ended(End)
        case outOfReach
    }

    /// How infrastructure ended, as far as that decides what is reported.
    enum End: UInt8, Sendable, Hashable, CaseIterable {
        /// It has not, or nobody knows how.
        case unseen
        /// The run has set Cancelled itself.
        case cancelled
        /// The run has set another state itself, or is a command of the user's that needs no report.
        case reported
        /// The API did not let the run begin.
        case aborted
        /// A flow engine ended well without a final state.
        case silent
        /// With an error.
        case failed
        /// With an error, where infrastructure that is asked to end may have given its run back before.
        case failedOrGaveBack
    }

    /// The step that is to be carried out.
    private(set) var step: Step
    /// How far the run is; the ledger holds this.
    private(set) var stage: RunStage
    /// Whether the claim's mark is this worker's: of several workers whose claims were accepted, this one has the run.
    private(set) var isSettled: Bool
    /// Whether an earlier process began with the run, so that the API may know more of it than this one.
    let isRecovered: Bool
    /// Whether processes of the worker died of the run so often that it is not tried again.
    private let isGivenUp: Bool
    /// Why the run is to end, when somebody asked for that.
    private(set) var stopReason: StopReason?
    private var end = End.unseen
    private var status = RunStatus.unread
    private var knownOutcome: RunOutcome?

    /// A run that a poll has returned.
    init() {
        step = .claim
        stage = .due
        isSettled = false
        isRecovered = false
        isGivenUp = false
    }

    /// A run that an earlier process held.
    init(recoveredAt stage: RunStage, isSettled: Bool, isGivenUp: Bool) {
        step = .readStatus
        self.stage = stage
        self.isSettled = isSettled
        isRecovered = true
        self.isGivenUp = isGivenUp
    }

    /// Whether nothing is left to be done by this process.
    var isOver: Bool { step == .finished || step == .left }

    /// What became of the run.
    var outcome: RunOutcome {
        if step == .left { return .left }
        return knownOutcome ?? (stage == .exited || stage == .reported ? .ended : .notStarted)
    }

    // MARK: What others ask for

    /// Asks for the run's end. A cancellation outranks a shutdown, since its end is the run's own.
    mutating func requestStop(_ reason: StopReason) {
        if stopReason != .cancelled { stopReason = reason }
    }

    /// Leaves the run to the next process.
    mutating func leave() { if step != .finished { step = .left } }

    // MARK: The path

    /// Moves on by the result of the current step. Returns `false` for a result that the step cannot have.
    mutating func handle(_ event: Event) -> Bool {
        switch step {
        case .readStatus, .findInfrastructure, .reportGivenUp, .endGivenUp: recover(event)
        case .claim, .readAfterClaim, .claimAgain, .settle: claim(event)
        case .configure: configure(event)
        case .submit, .readAfterSubmission, .readCancelling, .start, .findInterrupted: submit(event)
        case .cancelUnstarted, .cancelOrphaned, .crashUnstarted, .giveBack: endUnstarted(event)
        case .watch: watch(event)
        case .readBeforeReport, .readAfterEnd, .crash, .cancel, .noteCancelled, .conclude, .cleanUp: report(event)
        case .finished, .left: false
        }
    }

    private mutating func go(to next: Step) -> Bool {
        step = next
        return true
    }

    private mutating func finish(_ outcome: RunOutcome? = nil) -> Bool {
        if let outcome { knownOutcome = outcome }
        return go(to: .finished)
    }

    // MARK: Recovery

    private mutating func recover(_ event: Event) -> Bool {
        switch (step, event) {
        case (.readStatus, .status(let status)):
            self.status = status
            if isGivenUp { return go(to: status.isOurs && status.isActive ? .reportGivenUp : .endGivenUp) }
            let mayHaveInfrastructure = [.submitted, .running, .exited].contains(stage)
            return mayHaveInfrastructure ? go(to: .findInfrastructure) : resume(with: .neverStarted)
        case (.findInfrastructure, .found(let infrastructure)): return resume(with: infrastructure)
        case (.reportGivenUp, _):
            knownOutcome = .crashed
            return go(to: .endGivenUp)
        case (.endGivenUp, .done): return finish()
        default: return false
        }
    }

    /// Resumes a run where an earlier process left it. Infrastructure that is there is watched, whatever the API says:
    /// whether the run is another worker's now is looked at again when it has ended. Infrastructure is created only for a run
    /// that is pending by this worker's claim.
    private mutating func resume(with infrastructure: Infrastructure) -> Bool {
        let status = status
        self.status = .unread
        switch infrastructure {
        case .present:
            stage = .running
            if status.situation == .cancelling { stopReason = .cancelled }
            return go(to: .watch)
        case .ended(let end):
            guard status.isOurs, status.isActive else { return go(to: .cleanUp) }
            self.end = end
            stage = .exited
            return go(to: .readBeforeReport)
        case .neverStarted where status.mayBeClaimed:
            // The claim may have been sent and not have come. The same transition does no harm twice.
            return go(to: .claim)
        case .neverStarted where status.isOurs && status.situation == .pending:
            return go(to: stage == .due ? .settle : .configure)
        case .neverStarted where status.isOurs && status.situation == .cancelling: return cancelOwn()
        case .outOfReach where status.isOurs && !status.isOver: return go(to: .left)
        case .neverStarted, .outOfReach: return finish()
        }
    }

    // MARK: Claim

    private mutating func claim(_ event: Event) -> Bool {
        switch (step, event) {
        case (.claim, .done), (.claimAgain, .done): return go(to: .settle)
        case (.claim, .unanswered): return go(to: .readAfterClaim)
        case (.claim, .deploymentDeleted), (.claimAgain, .deploymentDeleted): return go(to: .cancelOrphaned)
        case (.readAfterClaim, .read(.ours)): return go(to: .settle)
        case (.readAfterClaim, .read(.waiting)): return go(to: .claimAgain)
        case (.readAfterClaim, .read(.cancelling)): return go(to: .readCancelling)
        case (.settle, .done), (.settle, .settled):
            if event == .settled { isSettled = true }
            stage = .claimed
            return go(to: stopReason == .cancelled ? .readCancelling : .configure)
        case (_, .refused), (_, .failed), (_, .deleted), (.readAfterClaim, .read): return finish()
        default: return false
        }
    }

    /// Cancels a run that is this worker's by its claim. Where the claim is not settled, another worker may have the run.
    private mutating func cancelOwn() -> Bool {
        stopReason = .cancelled
        return go(to: stage == .due ? .settle : .cancelUnstarted)
    }

    // MARK: Configure and submit

    private mutating func configure(_ event: Event) -> Bool {
        switch event {
        case .done:
            stage = .configured
            return go(to: .submit)
        case .deploymentDeleted: return go(to: .cancelOrphaned)
        case .failed: return go(to: .crashUnstarted)
        default: return false
        }
    }

    private mutating func submit(_ event: Event) -> Bool {
        switch (step, event) {
        case (.submit, .done), (.readAfterSubmission, .read(.ours)): return beginStart()
        case (.submit, .unanswered(let again)): return go(to: again ? .submit : .readAfterSubmission)
        case (.submit, .refused): return go(to: .readAfterSubmission)
        case (.submit, .deleted): return finish()
        // A proposal that would come late is preceded by a look at the run.
        case (.submit, .read(.ours)): return true
        case (.submit, .read(.cancelling)), (.readAfterSubmission, .read(.cancelling)): return go(to: .readCancelling)
        case (.submit, .read), (.readAfterSubmission, .read): return finish()
        case (.readCancelling, .status(let status)): return status.isOurs ? cancelOwn() : finish()
        case (.start, .done):
            stage = .running
            return go(to: .watch)
        case (.start, .interrupted): return go(to: .findInterrupted)
        case (.start, .failed): return go(to: .crashUnstarted)
        case (.findInterrupted, .found(.present)), (.findInterrupted, .found(.ended)):
            stage = .running
            return go(to: .watch)
        case (.findInterrupted, .found): return endBeforeStart()
        default: return false
        }
    }

    /// The run is this worker's and Submitting: it is started, unless it is to end.
    private mutating func beginStart() -> Bool {
        if stopReason != nil { return endBeforeStart() }
        stage = .submitted
        return go(to: .start)
    }

    private mutating func endBeforeStart() -> Bool {
        go(to: stopReason == .cancelled ? .cancelUnstarted : .giveBack)
    }

    // MARK: Ends without infrastructure

    private mutating func endUnstarted(_ event: Event) -> Bool {
        switch (step, event) {
        case (.cancelUnstarted, .done), (.cancelOrphaned, .done): return finish(.cancelled)
        case (.crashUnstarted, .done), (.crashUnstarted, .refused): return finish(.failedToStart)
        case (.crashUnstarted, .refusedForCancellation), (.giveBack, .read(.cancelling)):
            return go(to: .readCancelling)
        case (.giveBack, .done): return finish(.left)
        default: return false
        }
    }

    // MARK: Watch and report

    private mutating func watch(_ event: Event) -> Bool {
        guard case .ended(let end) = event else { return false }
        self.end = end
        stage = .exited
        return isRecovered ? go(to: .readBeforeReport) : beginReport()
    }

    /// What is known of the end tells whether the run's state has to be read before anything is reported.
    private mutating func beginReport() -> Bool {
        if stopReason == .cancelled {
            knownOutcome = .cancelled
            return go(to: end == .cancelled ? .noteCancelled : .readAfterEnd)
        }
        switch end {
        case .cancelled, .reported: return go(to: .conclude)
        case .failed: return go(to: .crash)
        case .failedOrGaveBack, .unseen, .aborted, .silent: return go(to: .readAfterEnd)
        }
    }

    private mutating func report(_ event: Event) -> Bool {
        switch (step, event) {
        case (.readBeforeReport, .status(let status)):
            return status.isOurs && status.isActive ? beginReport() : go(to: .conclude)
        case (.readAfterEnd, .read(let reading)):
            return stopReason == .cancelled ? finishCancellation(reading) : conclude(reading)
        case (.crash, .done):
            knownOutcome = .crashed
            return go(to: .conclude)
        // Somebody cancelled the run at the last moment, and no infrastructure is left to be stopped.
        case (.crash, .refusedForCancellation): return go(to: .cancel)
        case (.crash, .refused): return go(to: .conclude)
        case (.cancel, .done):
            knownOutcome = .cancelled
            return go(to: .conclude)
        case (.noteCancelled, .done): return go(to: .conclude)
        case (.conclude, .done): return go(to: .cleanUp)
        case (.cleanUp, .done):
            // A run of which nothing was reported keeps its stage.
            if stage == .exited { stage = .reported }
            return finish()
        default: return false
        }
    }

    /// The end of a run that this worker was asked to cancel.
    private mutating func finishCancellation(_ reading: Reading) -> Bool {
        switch reading {
        case .cancelled: return go(to: .noteCancelled)
        case .deleted: return go(to: .conclude)
        case .ended:
            knownOutcome = .ended
            return go(to: .conclude)
        // An engine that is stopped in the middle of its flow may set Crashed, which is not what the user asked for.
        default: return go(to: .cancel)
        }
    }

    /// The end of a run of which the state decides what is reported.
    private mutating func conclude(_ reading: Reading) -> Bool {
        switch reading {
        case .cancelling: go(to: .cancel)
        case .running, .ours, .pending: go(to: end == .aborted ? .conclude : .crash)
        case .deleted, .waiting, .cancelled, .ended, .crashed: go(to: .conclude)
        }
    }
}
