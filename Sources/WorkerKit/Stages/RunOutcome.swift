/// The outcome of this worker's work on a flow run. Only the API reports how the flow itself ended.
package enum RunOutcome: String, Sendable, Hashable, CaseIterable {
    /// It was not started: another worker had it, it was deleted, or it was in another state by then.
    case notStarted = "not_started"
    /// It could not be configured, or its infrastructure could not be started.
    case failedToStart = "failed_to_start"
    /// Its infrastructure has ended, and the worker had nothing to report about that.
    case ended
    /// This worker has reported it as Crashed.
    case crashed
    /// It was cancelled.
    case cancelled
    /// It passes to this worker's next start, or to other workers, because this process ends.
    case left
    /// The API refused a request that reads or reports the run.
    case abandoned
}
