/// Work of the worker on one run alone. A process that dies meanwhile has most likely died of that run.
///
/// Waiting is no work: a run that is watched, or that waits for the API, is not to blame for the end of a process.
public enum RunWork: String, Sendable, Hashable, CaseIterable {
    /// Its job configuration is made from the template.
    case configuring
    /// Its infrastructure is created.
    case starting
    /// An earlier process's infrastructure is looked for, or watched again.
    case recovering
    /// Its remains are removed.
    case cleaningUp = "cleaning_up"

    /// The work in words, for messages.
    var gerund: String {
        switch self {
        case .configuring: "making its job configuration"
        case .starting: "creating its infrastructure"
        case .recovering: "looking for its infrastructure"
        case .cleaningUp: "removing its remains"
        }
    }
}
