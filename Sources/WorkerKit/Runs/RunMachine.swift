internal import BackendKit

/// The path of one flow run through this worker, as a value. It holds the run's current step, and determines the next
/// step from the result of the current one.
///
/// ``Step`` lists the steps in the order in which a run takes them. ``RunDriver`` carries out the current step and
/// passes the result to ``handle(_:)``. Recovery uses the same machine, which then begins from a row of the ledger.
/// Nothing here waits, sends requests or logs. So a model in the tests explores this value itself, with two workers and
/// a crash at every step.
struct RunMachine: Sendable, Hashable {
    /// The next action on the run.
    enum Step: UInt8, Sendable, Hashable, CaseIterable {
        // Recovery: only for a run that an earlier process of the worker had.
        /// Read the run's status from the API.
        case readStatus
        /// Ask the backend which infrastructure the run has.
        case findInfrastructure
        /// Propose Crashed, because processes of the worker died too often during work on the run.
        case reportGivenUp
        /// Stop the infrastructure of a run that is given up.
        case endGivenUp

        // Claim
        /// Propose Pending.
        case claim
        /// The claim had no answer: read which worker has the run.
        case readAfterClaim
        /// The run still waits after a claim without an answer: propose Pending again until there is an answer.
        case claimAgain
        /// Where other workers serve the pool, decide which of several accepted claims counts.
        case settle

        // Configure
        /// Read the run's deployment and flow, and make its job configuration.
        case configure

        // Submit
        /// Propose Submitting.
        case submit
        /// The last confirmation is old, so that a proposal may come late: read whether this worker may still start the run.
        case readBeforeSubmission
        /// Submitting was refused or had no answer: read whether this worker may still start the run.
        case readAfterSubmission
        /// The run is being cancelled: read whether this worker has it.
        case readCancelling
        /// Create the infrastructure.
        case start
        /// The start was interrupted: ask the backend which infrastructure it created.
        case findInterrupted

        // The end of a run that has no infrastructure
        /// Set Cancelled.
        case cancelUnstarted
        /// Set Cancelled, since the run's deployment was deleted.
        case cancelWithoutDeployment
        /// Propose Crashed, since the run cannot be configured or started.
        case crashUnstarted
        /// Reschedule the run for another worker, because this one shuts down.
        case giveBack

        // Watch
        /// Wait until the infrastructure ends, and stop it on request.
        case watch

        // Report
        /// An earlier process had the run: read whether this worker must still report its end.
        case readBeforeReport
        /// Read the run's state, which decides what the worker reports.
        case readAfterEnd
        /// Propose Crashed, and run the hooks for a crash.
        case crash
        /// Run the hooks for a cancellation, and set Cancelled.
        case cancel
        /// Send the event of a requested cancellation for which the run set Cancelled itself.
        case noteCancelled
        /// Send the event that the worker has executed the run.
        case conclude
        /// Remove the run's resources.
        case cleanUp

        // This process has no more work on the run.
        /// Remove the run from the ledger.
        case finished
        /// Keep the run in the ledger for the next process.
        case left
    }

    /// The result of a step.
    enum Event: Sendable, Hashable {
        /// The step is done, or its proposal was accepted.
        case done
        /// The claim's mark is this worker's. With `done`, the worker continues without a mark.
        case settled
        /// The proposal was refused, or another worker has the run.
        case refused
        /// The proposal was refused because the run is being cancelled.
        case refusedForCancellation
        /// The proposal had no answer. `again` states whether the worker makes the same proposal once more.
        case unanswered(again: Bool)
        /// The run was deleted.
        case deleted
        /// The run's deployment was deleted.
        case deploymentDeleted
        /// The step cannot succeed.
        case failed
        /// The last confirmation that the run is this worker's is too old for the step.
        case stale
        /// The start was interrupted by a request to stop.
        case interrupted
        /// The run was read.
        case read(Reading)
        /// The run was read, with all the states that it had.
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
        /// Pending, and this worker may start it.
        case ours
        /// Pending by another worker's claim, or by a claim that was not examined.
        case pending
        case running
        case cancelling
        case cancelled
        /// Completed or Failed, which the run itself has set.
        case ended
        case crashed
    }

    /// The state of a run's infrastructure, as the backend reports it.
    enum Infrastructure: Sendable, Hashable {
        case neverStarted
        case present
        case ended(End)
        case outOfReach
    }

    /// How infrastructure ended, in the detail that decides what the worker reports.
    enum End: UInt8, Sendable, Hashable, CaseIterable {
        /// It has not ended, or how it ended is unknown.
        case unseen
        /// The run has set Cancelled itself.
        case cancelled
        /// The run has set another state itself, or a user's command ended without an error and needs no report.
        case reported
        /// The API instructed the process not to continue the run.
        case aborted
        /// A flow engine ended without an error and without a final state.
        case silent
        /// It ended with an error.
        case failed
        /// It ended with an error. This backend's infrastructure may give its run back before it ends on request.
        case failedOrGaveBack
    }

    /// The step to carry out next.
    private(set) var step: Step
    /// The run's stage, which the ledger records.
    private(set) var stage: RunStage
    /// Whether the claim's mark is this worker's. If the API accepted the claims of several workers, the one with the
    /// mark has the run.
    private(set) var isSettled: Bool
    /// Whether an earlier process began with the run, so that the API may know more of it than this process.
    let isRecovered: Bool
    /// Whether processes of the worker died so often during work on the run that it is not tried again.
    private let isGivenUp: Bool
    /// Why a stop of the run was requested; `nil` without a request.
    private(set) var stopReason: StopReason?
    /// How the infrastructure ended.
    private var end = End.unseen
    /// The status that a recovery has read; needed only until the backend has found the infrastructure.
    private var status = RunStatus.unread
    /// The outcome, where the stage does not determine it.
    private var knownOutcome: RunOutcome?

    /// A run that a poll has returned.
    init() {
        step = .claim
        stage = .due
        isSettled = false
        isRecovered = false
        isGivenUp = false
    }

    /// A run that an earlier process had.
    init(recoveredAt stage: RunStage, isSettled: Bool, isGivenUp: Bool) {
        step = .readStatus
        self.stage = stage
        self.isSettled = isSettled
        isRecovered = true
        self.isGivenUp = isGivenUp
    }

    /// Whether this process has no more work on the run.
    var isOver: Bool { step == .finished || step == .left }

    /// The outcome of this worker's work on the run.
    var outcome: RunOutcome {
        if step == .left { return .left }
        return knownOutcome ?? (stage == .exited || stage == .reported ? .ended : .notStarted)
    }

    // MARK: Requests

    /// Requests that the run stop. A cancellation takes precedence over a shutdown, because it also ends the run
    /// itself.
    mutating func requestStop(_ reason: StopReason) {
        if stopReason != .cancelled { stopReason = reason }
    }

    /// Passes the run to the next process; a finished run stays finished.
    mutating func leave() { if step != .finished { step = .left } }

    // MARK: The path

    /// Applies the result of the current step. Returns `false`, without a change, for a result that the step cannot
    /// have.
    mutating func handle(_ event: Event) -> Bool {
        switch step {
        case .readStatus, .findInfrastructure, .reportGivenUp, .endGivenUp: recover(event)
        case .claim, .readAfterClaim, .claimAgain, .settle: claim(event)
        case .configure: configure(event)
        case .submit, .readBeforeSubmission, .readAfterSubmission, .readCancelling, .start, .findInterrupted:
            submit(event)
        case .cancelUnstarted, .cancelWithoutDeployment, .crashUnstarted, .giveBack: endUnstarted(event)
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
        case (.reportGivenUp, .done), (.reportGivenUp, .refused):
            knownOutcome = .crashed
            return go(to: .endGivenUp)
        case (.reportGivenUp, .refusedForCancellation):
            knownOutcome = .cancelled
            return go(to: .endGivenUp)
        case (.endGivenUp, .done): return finish()
        default: return false
        }
    }

    /// Resumes a run at the point that an earlier process had reached. Existing infrastructure is watched, whatever the
    /// API reports. When it has ended, the worker reads again whether another worker has the run. Infrastructure is
    /// created only for a run that is pending by this worker's claim.
    private mutating func resume(with infrastructure: Infrastructure) -> Bool {
        let status = self.status
        self.status = .unread
        switch infrastructure {
        case .present:
            stage = .running
            if status.situation == .cancelling { stopReason = .cancelled }
            return go(to: .watch)
        case .ended(let end):
            guard status.isOurs, status.isActive else {
                knownOutcome = .ended
                return go(to: .cleanUp)
            }
            self.end = end
            stage = .exited
            return go(to: .readBeforeReport)
        case .neverStarted where status.mayBeClaimed:
            // An earlier claim may still be on its way. A second claim by the same transition does no harm.
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
        case (.claim, .deploymentDeleted), (.claimAgain, .deploymentDeleted): return go(to: .cancelWithoutDeployment)
        case (.readAfterClaim, .read(.ours)): return go(to: .settle)
        case (.readAfterClaim, .read(.waiting)): return go(to: .claimAgain)
        case (.readAfterClaim, .read(.cancelling)): return go(to: .readCancelling)
        // An earlier attempt of this claim may have been accepted.
        case (.claim, .refusedForCancellation), (.claimAgain, .refusedForCancellation):
            return go(to: .readCancelling)
        case (.settle, .settled):
            isSettled = true
            return beginConfiguration()
        case (.settle, .done): return beginConfiguration()
        case (.claim, .refused), (.claim, .failed), (.claim, .deleted), (.readAfterClaim, .read),
            (.readAfterClaim, .failed), (.claimAgain, .refused), (.claimAgain, .failed), (.settle, .refused):
            return finish()
        default: return false
        }
    }

    private mutating func beginConfiguration() -> Bool {
        stage = .claimed
        return go(to: stopReason == .cancelled ? .readCancelling : .configure)
    }

    /// Cancels a run that this worker has claimed. An unsettled claim is settled first, because another worker may have
    /// the run.
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
        case .deploymentDeleted: return go(to: .cancelWithoutDeployment)
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
        case (.submit, .stale): return go(to: .readBeforeSubmission)
        case (.readBeforeSubmission, .read(.ours)): return go(to: .submit)
        case (.readBeforeSubmission, .read(.cancelling)), (.readAfterSubmission, .read(.cancelling)):
            return go(to: .readCancelling)
        case (.readBeforeSubmission, .read), (.readAfterSubmission, .read): return finish()
        case (.readCancelling, .status(let status)): return status.isOurs ? cancelOwn() : finish()
        case (.start, .done):
            stage = .running
            return go(to: .watch)
        case (.start, .interrupted): return go(to: .findInterrupted)
        case (.start, .failed): return go(to: .crashUnstarted)
        case (.findInterrupted, .found(.present)), (.findInterrupted, .found(.ended)):
            stage = .running
            return go(to: .watch)
        // Infrastructure may exist: only the next process can find out.
        case (.findInterrupted, .found(.outOfReach)) where stopReason != .cancelled: return go(to: .left)
        case (.findInterrupted, .found): return endBeforeStart()
        default: return false
        }
    }

    /// Starts a run that is still this worker's after the proposal of Submitting, unless a stop was requested.
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
        case (.cancelUnstarted, .done), (.cancelWithoutDeployment, .done): return finish(.cancelled)
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
        // Another worker may have the run by now: its infrastructure may have given it back before it ended.
        let mayBeGivenBack = stopReason != .cancelled && (end == .failedOrGaveBack || end == .unseen)
        return isRecovered || mayBeGivenBack ? go(to: .readBeforeReport) : beginReport()
    }

    /// Decides by the known end whether the worker must read the run's state before it reports anything.
    private mutating func beginReport() -> Bool {
        if stopReason == .cancelled {
            knownOutcome = .cancelled
            return go(to: end == .cancelled ? .noteCancelled : .readAfterEnd)
        }
        switch end {
        case .cancelled, .reported: return go(to: .conclude)
        case .failed, .failedOrGaveBack: return go(to: .crash)
        case .unseen, .aborted, .silent: return go(to: .readAfterEnd)
        }
    }

    private mutating func report(_ event: Event) -> Bool {
        switch (step, event) {
        case (.readBeforeReport, .status(let status)):
            return status.isOurs && status.isActive ? beginReport() : go(to: .conclude)
        case (.readAfterEnd, .read(let reading)):
            return stopReason == .cancelled ? reportCancellation(reading) : reportEnd(reading)
        case (.crash, .done):
            knownOutcome = .crashed
            return go(to: .conclude)
        // The run was cancelled at the last moment, and its infrastructure has already ended.
        case (.crash, .refusedForCancellation): return go(to: .cancel)
        case (.crash, .refused): return go(to: .conclude)
        case (.cancel, .done):
            knownOutcome = .cancelled
            return go(to: .conclude)
        case (.noteCancelled, .done): return go(to: .conclude)
        case (.conclude, .done): return go(to: .cleanUp)
        case (.cleanUp, .done):
            // A run about which the worker reported nothing keeps its stage.
            if stage == .exited { stage = .reported }
            return finish()
        default: return false
        }
    }

    /// Ends a run that this worker was asked to cancel, by the state that was read.
    private mutating func reportCancellation(_ reading: Reading) -> Bool {
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

    /// Decides by the state that was read what the worker reports about the run's end.
    private mutating func reportEnd(_ reading: Reading) -> Bool {
        switch reading {
        case .cancelling: go(to: .cancel)
        case .running, .pending, .ours: go(to: end == .aborted ? .conclude : .crash)
        case .deleted, .waiting, .cancelled, .ended, .crashed: go(to: .conclude)
        }
    }
}
