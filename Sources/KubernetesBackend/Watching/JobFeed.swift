internal import PrefectAPI
internal import Synchronization

/// What is told of one job and its pods.
enum JobNews: Sendable, Hashable {
    case job(JobSnapshot)
    /// The watch says that the job was deleted.
    case jobDeleted(uid: String)
    /// A list of all jobs that have not succeeded does not hold it.
    case jobUnlisted
    case pod(PodSnapshot)
    /// The watch says that the pod was deleted; how it was last.
    case podDeleted(PodSnapshot)
    /// The jobs of the namespace can be neither listed nor watched: whoever wants to know has to ask.
    case unwatched
}

/// The news of one job, kept until its follower takes them.
final class JobFeed: Sendable {
    private let news = Mutex<[JobNews]>([])
    private let hasNews = Wakeup()
    private let isOver = Mutex(false)
    /// Whether nothing of the job's output was printed before: this process has created the job.
    let hasAllOutput: Bool

    init(hasAllOutput: Bool = false) { self.hasAllOutput = hasAllOutput }

    /// Nobody is to follow the job by this feed any more: who does is made to leave.
    func close() {
        isOver.withLock { $0 = true }
        hasNews.signal()
    }

    /// Whether it was closed.
    var isClosed: Bool { isOver.withLock { $0 } }

    func add(_ item: JobNews) {
        news.withLock { news in
            // A job that is told again before anybody has looked is only told once, as it is now.
            if case .job = item, case .job? = news.last { news.removeLast() }
            news.append(item)
        }
        hasNews.signal()
    }

    /// The news since the last call; empty when there are none for so long, the feed was closed, or the task is cancelled.
    func next(atMost limit: Duration?) async -> [JobNews] {
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
