internal import PrefectAPI

/// How far a flow run is in this worker's hands.
public enum RunStage: String, Sendable, Hashable, CaseIterable {
    /// Returned by a poll, not yet this worker's.
    case due
    /// The API has accepted it as this worker's.
    case claimed
    /// Its job configuration has been made.
    case configured
    /// Its infrastructure is being created.
    case submitted
    /// Its infrastructure exists and is watched.
    case running
    /// Its infrastructure has ended.
    case exited
    /// All that was to be said about it has been said.
    case reported
}

/// The transitions by which a worker brings a run forward. They are chosen before the first of them is proposed, so that
/// whoever knows them can tell from the API's states what came of it.
public struct RunTransitions: Sendable, Hashable {
    /// To Pending.
    public let claim: String
    /// To Submitting.
    public let submission: String

    /// Transitions that nobody else has.
    init() { self.init(claim: APIClient.newTransitionID(), submission: APIClient.newTransitionID()) }

    init(claim: String, submission: String) {
        self.claim = claim
        self.submission = submission
    }

    /// Whether a transition is one of these.
    func contains(_ transition: String) -> Bool { transition == claim || transition == submission }
}
