internal import BackendKit
internal import Glibc
internal import PrefectConcurrency
internal import PrefectFiles

/// A process that the supervisor watches, with its state. Only the supervisor uses it.
final class SupervisedProcess {
    /// Identifies a process even when its pid is reused.
    struct Key: Hashable, Sendable {
        let pid: pid_t
        let startTime: UInt64
    }

    /// Distinguishes the descendants of a process from other processes.
    struct Marks: Sendable {
        /// The environment variable that the descendants carry.
        let variable: String
        let value: String
    }

    let key: Key
    let descriptor: Descriptor
    /// Whether the process is a child of this process, so that its exit code will be known.
    let isChild: Bool
    /// Whether the process leads its own process group and its own session.
    let leadsGroup: Bool
    let leadsSession: Bool
    let marks: Marks

    var output: OutputFollower?
    var errors: OutputFollower?
    /// Whether the output is copied to the worker's own output.
    var streamsOutput = true
    var outputWatch: Int32?

    var watch: EventLoop.Token?
    var controlToken: String?
    var conclusion: ControlSession.Conclusion?
    /// Whether the process has answered the request to cancel its run.
    let cancelAnswered = ObservedValue(false)
    /// Whether the engine reported how its run ended, before it acknowledged a request to cancel.
    var hasReportedEnd: Bool {
        switch conclusion {
        case .stateReported?, .abortedByAPI?: true
        case .cancelAcknowledged?, nil: false
        }
    }

    /// Whether the process has ended. Its exit code is set before if it can be known.
    let exited = ObservedValue(false)
    var exitCode: Int?
    /// The time of SIGTERM, which is sent only once. A second one would interrupt the reaction to the first.
    var terminatedAt: ContinuousClock.Instant?
    /// The time at which the supervisor began to end the rest of the process group.
    var sweepStartedAt: ContinuousClock.Instant?
    /// The number of callers that are stopping the process. They also end its remaining processes.
    var stoppers = 0
    /// How the process ended, once its process group is empty.
    let end = ObservedValue<ExitStatus?>(nil)
    var hasEnded: Bool { end.value != nil }

    init(
        key: Key, descriptor: Descriptor, isChild: Bool, leadsGroup: Bool, leadsSession: Bool, marks: Marks
    ) {
        self.key = key
        self.descriptor = descriptor
        self.isChild = isChild
        self.leadsGroup = leadsGroup
        self.leadsSession = leadsSession
        self.marks = marks
    }
}
