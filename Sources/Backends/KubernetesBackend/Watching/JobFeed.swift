internal import PrefectClient
internal import PrefectConcurrency
internal import Synchronization

/// A notification of one job and its pods.
enum JobNews: Sendable, Hashable {
    case job(JobSnapshot)
    /// The watch reported that the job was deleted.
    case jobDeleted(uid: String)
    /// A list of all jobs that have not succeeded does not contain the job.
    case jobUnlisted
    case pod(PodSnapshot)
    /// The watch reported that the pod was deleted; this is its last state.
    case podDeleted(PodSnapshot)
    /// The jobs of the namespace can be neither listed nor watched, so the follower has to read the job.
    case unwatched
}

/// The notifications of one job, kept until its follower takes them.
final class JobFeed: Sendable {
    private let news = Mutex<[JobNews]>([])
    private let hasNews = AsyncSignal()
    private let isOver = Mutex(false)
    private let hasFollower = Mutex(false)
    /// Whether none of the job's output was printed before, because this process has created the job.
    let hasAllOutput: Bool

    init(hasAllOutput: Bool = false) { self.hasAllOutput = hasAllOutput }

    /// Closes the feed. Its follower has to stop, and no other follower may use this feed.
    func close() {
        isOver.withLock { $0 = true }
        hasNews.signal()
    }

    /// Records that a follower takes the notifications. Returns whether an earlier one has taken some of them, so that
    /// they are not complete.
    func wasFollowed() -> Bool {
        hasFollower.withLock { hasFollower in
            defer { hasFollower = true }
            return hasFollower
        }
    }

    /// Whether the feed was closed.
    var isClosed: Bool { isOver.withLock { $0 } }

    func add(_ item: JobNews) {
        news.withLock { news in
            // Consecutive states of a job are merged: the follower gets only the latest one.
            if case .job = item, case .job? = news.last { news.removeLast() }
            news.append(item)
        }
        hasNews.signal()
    }

    /// The notifications since the last call. The result is empty when none arrives within the limit, the feed was
    /// closed, or the task is cancelled.
    func next(atMost limit: Duration? = nil) async -> [JobNews] {
        while !Task.isCancelled {
            let taken = news.withLock { news in
                defer { news = [] }
                return news
            }
            if !taken.isEmpty || isClosed { return taken }
            if let limit {
                await hasNews.wait(atMost: limit, unless: { self.isClosed || self.news.withLock { !$0.isEmpty } })
                return news.withLock { news in
                    defer { news = [] }
                    return news
                }
            }
            await hasNews.wait()
        }
        return []
    }
}
