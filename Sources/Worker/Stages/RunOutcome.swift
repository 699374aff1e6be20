/// What became of a flow run in this worker's hands; how the flow itself ended is the API's to say.
public enum RunOutcome: String, Sendable, Hashable, CaseIterable {
    /// It was not started: another worker's, deleted, or in another state by then.
    case notStarted = "not_started"
    /// It could not be configured, or its infrastructure not be started.
    case failedToStart = "failed_to_start"
    /// Its infrastructure has ended, and nothing had to be said about that.
    case ended
    /// This worker has reported it as Crashed.
    case crashed
    /// It was cancelled.
    case cancelled
    /// It is left to this worker's next start, or to other workers, since this one leaves.
    case left
    /// The API has refused what had to be known of it or to be said about it.
    case abandoned
}
