/// Work of the worker on one run alone. A process that dies during such work has most likely died because of that run.
///
/// Waiting is no such work: a run that is watched, or that waits for the API, does not cause a process's death.
package enum RunWork: String, Sendable, Hashable, CaseIterable {
    /// The worker makes its job configuration from the template.
    case configuring
    /// The worker creates its infrastructure.
    case starting
    /// The worker looks for infrastructure of an earlier process, or begins to watch it again.
    case recovering
    /// The worker removes its resources.
    case cleaningUp = "cleaning_up"

    /// The work in words, for messages.
    var gerund: String {
        switch self {
        case .configuring: "making its job configuration"
        case .starting: "creating its infrastructure"
        case .recovering: "looking for its infrastructure"
        case .cleaningUp: "cleaning up its infrastructure"
        }
    }
}
