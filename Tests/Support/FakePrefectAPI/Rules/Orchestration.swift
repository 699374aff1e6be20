internal import PrefectJSON

/// The server's decision about a proposed state, and the state that the run enters because of it, if any.
struct Verdict {
    enum Answer: Equatable {
        case accept
        case reject(reason: String)
        case wait(seconds: Int, reason: String)
        case abort(reason: String)
    }

    var answer: Answer
    /// The state to enter: the proposed one, or a different one after a rejection. `nil` does not change the run.
    var state: FakeState?

    static func abort(_ reason: String) -> Verdict { Verdict(answer: .abort(reason: reason), state: nil) }

    static func reject(_ reason: String, into state: FakeState? = nil) -> Verdict {
        Verdict(answer: .reject(reason: reason), state: state)
    }

    /// `status` and `details` of the answer to `set_state`.
    var statusAndDetails: (status: String, details: JSONValue) {
        switch answer {
        case .accept: ("ACCEPT", ["type": "accept_details"])
        case .reject(let reason): ("REJECT", ["type": "reject_details", "reason": .string(reason)])
        case .wait(let seconds, let reason):
            ("WAIT", ["type": "wait_details", "delay_seconds": .int(seconds), "reason": .string(reason)])
        case .abort(let reason): ("ABORT", ["type": "abort_details", "reason": .string(reason)])
        }
    }
}

/// The server's rules for a run's transition, in their order.
///
/// They do not cover pausing and resuming: a worker never proposes these, and the fake accepts them unchanged.
struct Orchestration {
    let run: FakeFlowRun
    let now: WireTime
    /// How many seconds a run waits before it requests a slot of its deployment again.
    var slotWaitSeconds = 30.0
    /// The run's deployment; `nil` when the run has none or it no longer exists.
    var deployment: FakeDeployment?
    /// The id for a new lease.
    let leaseID: String
    /// The deployment after a slot was taken or released.
    private(set) var changedDeployment: FakeDeployment?

    init(run: FakeFlowRun, deployment: FakeDeployment?, leaseID: String, now: WireTime) {
        self.run = run
        self.deployment = deployment
        self.leaseID = leaseID
        self.now = now
    }

    mutating func judge(_ proposal: FakeState, force: Bool) -> Verdict {
        var proposed = proposal
        if !force, proposed.leaseID == nil { proposed.leaseID = run.state?.leaseID }
        let verdict = force ? judgeForced(proposed) : judgeByRules(&proposed)
        if let state = verdict.state, let initial = run.state { releaseSlot(from: initial, to: state, verdict) }
        return verdict
    }

    private func judgeForced(_ proposed: FakeState) -> Verdict {
        guard let initial = run.state else { return Verdict(answer: .accept, state: proposed) }
        return losingResult(initial, proposed) ?? cancellingWithoutInfrastructure(initial, proposed)
            ?? Verdict(answer: .accept, state: proposed)
    }

    private mutating func judgeByRules(_ proposed: inout FakeState) -> Verdict {
        guard let initial = run.state else { return Verdict(answer: .accept, state: proposed) }
        if let id = proposed.transitionID, id == initial.transitionID {
            return .reject("This run has already made this state transition.")
        }
        let refusal =
            leavingTerminalState(initial, proposed) ?? leavingCancelling(initial, proposed)
            ?? cancellingWithoutInfrastructure(initial, proposed) ?? pendingAgain(initial, &proposed)
            ?? takingSlot(initial, &proposed) ?? markingLate(initial, proposed)
        if let refusal { return refusal }
        if initial.type == .scheduled, proposed.type == .pending, proposed.scheduledTime == nil {
            proposed.scheduledTime = initial.scheduledTime
        }
        return runningTooEarly(initial, proposed) ?? retrying(initial, proposed)
            ?? Verdict(answer: .accept, state: proposed)
    }

    private func losingResult(_ initial: FakeState, _ proposed: FakeState) -> Verdict? {
        guard initial.type == .completed, proposed.type == .completed, initial.hasPersistedResult,
            !proposed.hasPersistedResult
        else { return nil }
        return .reject("The completed state holds a stored result, which the proposed state would lose.")
    }

    private func leavingTerminalState(_ initial: FakeState, _ proposed: FakeState) -> Verdict? {
        guard initial.type.isTerminal else { return nil }
        switch proposed.type {
        case .cancelling, .paused, .crashed:
            return .abort("Run is already in terminal state \(initial.type.rawValue).")
        default: break
        }
        if initial.type == .completed, initial.hasPersistedResult, !proposed.type.isTerminal {
            return .reject("Run is already COMPLETED.")
        }
        if let refusal = losingResult(initial, proposed) { return refusal }
        if proposed.type == .scheduled, run.deploymentID == nil {
            return .abort("A run without a deployment cannot be scheduled again.")
        }
        return nil
    }

    private func leavingCancelling(_ initial: FakeState, _ proposed: FakeState) -> Verdict? {
        guard initial.type == .cancelling, proposed.type != .cancelled else { return nil }
        return .reject("A run that is being cancelled can only become Cancelled.")
    }

    private func cancellingWithoutInfrastructure(_ initial: FakeState, _ proposed: FakeState) -> Verdict? {
        guard proposed.type == .cancelling else { return nil }
        let bare = initial.type == .scheduled && (run.infrastructurePID ?? "").isEmpty
        let resuming = [.scheduled, .paused].contains(initial.type) && initial.name == "Resuming"
        let suspended = initial.type == .paused && initial.details["pause_reschedule"] == true
        guard bare || resuming || suspended else { return nil }
        return .reject("There is no infrastructure to stop.", into: FakeState(.cancelled, at: now))
    }

    private func pendingAgain(_ initial: FakeState, _ proposed: inout FakeState) -> Verdict? {
        guard proposed.type == .pending, [.pending, .running, .cancelling, .cancelled].contains(initial.type)
        else { return nil }
        if initial.type == .pending, proposed.name != initial.name, proposed.name != "Pending" {
            proposed.scheduledTime = initial.scheduledTime
            proposed.leaseID = initial.leaseID
            return nil
        }
        return .abort(
            "This run is in a \(initial.type.rawValue) state and cannot transition to a PENDING state.")
    }

    private mutating func takingSlot(_ initial: FakeState, _ proposed: inout FakeState) -> Verdict? {
        guard proposed.type == .pending, ![.pending, .running, .cancelling].contains(initial.type),
            run.deploymentID != nil
        else { return nil }
        guard var deployment else { return .abort("Deployment not found.") }
        guard let limit = deployment.concurrencyLimit else { return nil }
        if limit == 0 {
            return .abort(
                "The deployment concurrency limit is 0. The flow will deadlock if submitted again.")
        }
        guard deployment.leases.count >= limit else {
            deployment.leases.insert(leaseID)
            proposed.leaseID = leaseID
            changedDeployment = deployment
            self.deployment = deployment
            return nil
        }
        let reason = "Deployment concurrency limit reached."
        switch deployment.collisionStrategy {
        case .cancelNew: return .reject(reason, into: FakeState(.cancelled, message: reason, at: now))
        case .enqueue:
            var waiting = FakeState(.scheduled, name: "AwaitingConcurrencySlot", at: now)
            waiting.scheduledTime = now.adding(seconds: slotWaitSeconds)
            return .reject(reason, into: waiting)
        }
    }

    private func markingLate(_ initial: FakeState, _ proposed: FakeState) -> Verdict? {
        guard proposed.type == .scheduled, proposed.name == "Late" else { return nil }
        if initial.type != .scheduled { return .reject("Only a scheduled run can be late.") }
        return initial.name == "Late" ? .reject("The run is late already.") : nil
    }

    private func runningTooEarly(_ initial: FakeState, _ proposed: FakeState) -> Verdict? {
        guard proposed.type == .running, [.scheduled, .pending].contains(initial.type),
            let due = initial.scheduledTime
        else { return nil }
        let delay = Int(due.seconds(since: now).rounded())
        guard delay > 0 else { return nil }
        return Verdict(
            answer: .wait(seconds: delay, reason: "Scheduled time is in the future"), state: nil)
    }

    private func retrying(_ initial: FakeState, _ proposed: FakeState) -> Verdict? {
        guard initial.type == .running, proposed.type == .failed,
            let retries = run.empiricalPolicy["retries"]?.intValue, run.runCount <= retries
        else { return nil }
        var retry = FakeState(
            .scheduled, name: "AwaitingRetry", message: proposed.message, data: proposed.data, at: now)
        retry.scheduledTime = now.adding(seconds: run.empiricalPolicy["retry_delay"]?.doubleValue ?? 0)
        retry.leaseID = initial.leaseID
        return .reject("Retrying", into: retry)
    }

    private mutating func releaseSlot(from initial: FakeState, to state: FakeState, _ verdict: Verdict) {
        let active: [FakeState.Kind] = [.pending, .running, .cancelling]
        guard active.contains(initial.type), !active.contains(state.type), let lease = initial.leaseID,
            var deployment
        else { return }
        // A run that retries within its process keeps its slot.
        if state.name == "AwaitingRetry", case .reject = verdict.answer { return }
        deployment.leases.remove(lease)
        changedDeployment = deployment
        self.deployment = deployment
    }
}
