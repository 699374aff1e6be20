internal import PrefectClient

/// How far this worker has brought a flow run.
package enum RunStage: String, Sendable, Hashable, CaseIterable {
    /// Returned by a poll, not yet this worker's.
    case due
    /// The API has accepted it as this worker's run.
    case claimed
    /// Its job configuration has been made.
    case configured
    /// Its infrastructure is being created.
    case submitted
    /// Its infrastructure exists and is watched.
    case running
    /// Its infrastructure has ended.
    case exited
    /// The worker has nothing more to report about it.
    case reported
}

/// The transitions by which a worker advances a run. Their ids are chosen before the first proposal. So a process that
/// knows them finds the results of the proposals in the API's states.
package struct ClaimIDs: Sendable, Hashable {
    /// The id of the transition to Pending.
    package let claim: String
    /// The id of the transition to Submitting.
    package let submission: String

    init(claim: String, submission: String) {
        self.claim = claim
        self.submission = submission
    }

    /// Whether a transition is one of these.
    func contains(_ transition: String) -> Bool { transition == claim || transition == submission }
}
