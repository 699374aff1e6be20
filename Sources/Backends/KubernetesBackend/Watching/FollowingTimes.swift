/// The times at which the follower of a job reads the job itself, because no notification arrived in time.
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

    /// The longest time to wait for a notification; `nil` for no limit.
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

    /// The requests to make when no notification arrived.
    mutating func elapsed(_ progress: JobProgress) -> [JobProgress.Action] {
        if progress.end != nil { return [.readPods] }
        if progress.isUnwatched { return [.readJob, .readPods] }
        if let jobWatch, lastNews + jobWatch <= .now {
            lastNews = .now
            return [.readJob]
        }
        return []
    }

    /// Whether the pod has not begun in time. The result is `true` only once.
    mutating func isPodLate(_ progress: JobProgress) -> Bool {
        guard let podDeadline, !hasSaidLate, !progress.hasBegun, progress.end == nil, podDeadline <= .now else {
            return false
        }
        hasSaidLate = true
        return true
    }

    /// Whether the wait for the pods of a deleted job has been long enough.
    func hasDrained() -> Bool {
        goneSince.map { $0 + JobFollower.drainLimit <= .now } ?? false
    }
}
