/// When the follower of a job looks for itself, because nothing was told for so long.
struct FollowingTimes: Sendable {
    private let jobWatch: Duration?
    private let podDeadline: ContinuousClock.Instant?
    private var lastNews = ContinuousClock.now
    private var goneSince: ContinuousClock.Instant?
    private var hasSaidLate = false

    init(jobWatch: Duration?, podWatch: Duration?) {
        self.jobWatch = jobWatch
        podDeadline = podWatch.map { .now + $0 }
    }

    mutating func newsCame() { lastNews = .now }

    /// How long to wait for news at most.
    mutating func limit(_ progress: JobProgress) -> Duration? {
        if progress.end == .gone, goneSince == nil { goneSince = .now }
        var limits: [Duration] = []
        if progress.isUnwatched || progress.end != nil { limits.append(JobFollower.askInterval) }
        if let jobWatch { limits.append(max(lastNews + jobWatch - .now, .milliseconds(10))) }
        if let podDeadline, !hasSaidLate, !progress.hasBegun {
            limits.append(max(podDeadline - .now, .milliseconds(10)))
        }
        return limits.min()
    }

    /// What to ask for when nothing came.
    mutating func elapsed(_ progress: JobProgress) -> [JobProgress.Action] {
        if progress.end != nil { return [.readPods] }
        if progress.isUnwatched { return [.readJob, .readPods] }
        if let jobWatch, lastNews + jobWatch <= .now {
            lastNews = .now
            return [.readJob]
        }
        return []
    }

    /// Whether the pod has not begun in time; said once.
    mutating func isPodLate(_ progress: JobProgress) -> Bool {
        guard let podDeadline, !hasSaidLate, !progress.hasBegun, progress.end == nil, podDeadline <= .now else {
            return false
        }
        hasSaidLate = true
        return true
    }

    /// Whether the pods of a deleted job have been waited for long enough.
    func hasDrained() -> Bool {
        goneSince.map { $0 + JobFollower.drainLimit <= .now } ?? false
    }
}
