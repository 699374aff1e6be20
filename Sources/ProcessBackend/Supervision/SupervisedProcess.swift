internal import Files
internal import Glibc
internal import Worker

/// Something that happens once and that tasks wait for; confined to the supervisor.
final class Gate {
    private(set) var isOpen = false
    fileprivate(set) var waiters: [UInt64] = []

    func add(_ waiter: UInt64) { waiters.append(waiter) }

    /// Opens it and returns who waited.
    func open() -> [UInt64] {
        defer { waiters = [] }
        isOpen = true
        return waiters
    }
}

/// A process that the supervisor watches, and what it knows about it; confined to the supervisor.
final class SupervisedProcess {
    /// A process, however often its number was used.
    struct Key: Hashable, Sendable {
        let pid: pid_t
        let startTime: UInt64
    }

    /// How its descendants can be told from other processes.
    struct Marks: Sendable {
        /// The variable that its environment holds.
        let variable: String
        let value: String
    }

    let key: Key
    let descriptor: Descriptor
    /// Whether it is a child of this process, so that its exit code will be known.
    let isChild: Bool
    /// Whether it leads a process group and a session of its own.
    let leadsGroup: Bool
    let leadsSession: Bool
    let marks: Marks

    var output: OutputFollower?
    var errors: OutputFollower?
    /// Whether anybody wants to see the output.
    var streamsOutput = true
    var outputWatch: Int32?

    var watch: EventLoop.Token?
    var controlToken: String?
    var conclusion: ControlSession.Conclusion?
    let cancelAnswered = Gate()
    /// Whether the engine has reported how its run ended, before anybody asked it to cancel.
    var hasReportedEnd: Bool {
        switch conclusion {
        case .stateReported?, .abortedByAPI?: true
        case .cancelAcknowledged?, nil: false
        }
    }

    /// The process has ended; its code, when it can be known.
    let exited = Gate()
    var exitCode: Int?
    /// When SIGTERM was sent: once, since a second one would interrupt what the first one has set off.
    var terminatedAt: ContinuousClock.Instant?
    /// The rest of its group is being ended.
    var sweepStartedAt: ContinuousClock.Instant?
    /// How many callers are stopping it: they take care of what is left.
    var stoppers = 0
    /// Nothing of its group is left, and its status is final.
    let ended = Gate()
    var status: ExitStatus?

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
