internal import JSON

/// How a run's job stands, from what is told of it. A value without I/O.
///
/// It ends by positive evidence alone: the job says that it has ended, or the API server itself says that it does not
/// exist, or that it is being deleted and none of its pods is left. What a watch or a list says to that effect makes it ask.
struct JobProgress: Sendable {
    /// What is to be done.
    enum Action: Sendable, Hashable {
        /// Ask for the job, and hand in the answer with ``handle(read:)``.
        case readJob
        /// Ask for the job's pods, and hand in the answer with ``handle(pods:)``.
        case readPods
        /// A pod is as it has not been told yet.
        case tell(PodSnapshot)
    }

    /// How the job ended.
    enum End: Sendable, Hashable {
        case complete
        case failed(reason: String, message: String)
        /// It was deleted; whether it had ended well before is not known.
        case gone
    }

    /// The job's uid, once it is known.
    private(set) var uid: String?
    /// How it ended, once that is known for sure.
    private(set) var end: End?
    /// When it failed, as the job says.
    private(set) var failed: Timestamp?
    /// Its pods as they were last, also those that are gone.
    private(set) var pods: [String: PodSnapshot] = [:]
    /// The pods that do not exist any more.
    private var gonePods: Set<String> = []
    /// Whether nobody watches and it has to be asked for.
    private(set) var isUnwatched = false
    private var hasReadPods = false
    private(set) var isSuspended = false
    /// Whether somebody has asked for the job's deletion.
    private(set) var isDeleting = false

    init(uid: String?) { self.uid = uid }

    /// Whether all is known that is to be known of the end: how the pods ended belongs to it.
    var isOver: Bool { end != nil && hasReadPods && (end != .gone || livePods.isEmpty) }

    /// The pods that exist and have not ended.
    var livePods: [PodSnapshot] { pods.values.filter { !gonePods.contains($0.uid) && !$0.hasEnded } }

    /// Whether nothing will come of it any more, as far as is known: a job that somebody deletes makes no more pods, however
    /// long the cluster takes to remove it.
    private var seemsDrained: Bool { isDeleting && end == nil && !pods.isEmpty && livePods.isEmpty }

    /// Whether a pod's flow has begun.
    var hasBegun: Bool { pods.values.contains { $0.hasBegun || $0.hasEnded } }

    /// The pod that was made last.
    var latestPod: PodSnapshot? { newestPods.first }

    private var newestPods: [PodSnapshot] {
        pods.values.sorted { ($0.created ?? .earliest, $0.name) > ($1.created ?? .earliest, $1.name) }
    }

    /// The pods that have not ended well, the newest first.
    var failedPods: [PodSnapshot] { newestPods.filter { $0.phase != "Succeeded" && $0.termination?.exitCode != 0 } }

    /// Takes in news.
    mutating func handle(_ news: JobNews) -> [Action] {
        switch news {
        case .job(let job): return handle(job)
        case .jobDeleted(let deleted):
            guard end == nil, uid == nil || uid == deleted else { return [] }
            return [.readJob]
        case .jobUnlisted:
            return end == nil ? [.readJob] : []
        case .pod(let pod):
            return note(pod)
        case .podDeleted(let pod):
            return note(pod, isGone: true)
        case .unwatched:
            isUnwatched = true
            return end == nil ? [.readJob] : []
        }
    }

    /// Takes in the API server's answer about the job; `nil` says that there is none.
    mutating func handle(read job: JobSnapshot?) -> [Action] {
        guard let job, uid == nil || job.uid == uid else { return finish(.gone) }
        return handle(job)
    }

    /// Takes in the API server's answer about the pods.
    mutating func handle(pods found: [PodSnapshot]) -> [Action] {
        let actions = found.flatMap { note($0) }.filter { $0 != .readPods }
        gonePods.formUnion(Set(pods.keys).subtracting(found.map(\.uid)))
        gonePods.subtract(found.map(\.uid))
        if seemsDrained { end = .gone }
        hasReadPods = end != nil
        return actions
    }

    /// The pods cannot be asked for: what is known of them has to do.
    mutating func handlePodsUnreadable() {
        hasReadPods = true
        gonePods = Set(pods.keys)
    }

    private mutating func handle(_ job: JobSnapshot) -> [Action] {
        guard end == nil else { return [] }
        // Another job of the same name: this one is not there any more.
        if let uid, job.uid != uid { return finish(.gone) }
        uid = job.uid
        isSuspended = job.isSuspended
        isDeleting = job.isDeleting
        failed = job.failed
        return switch job.ending {
        case .complete: finish(.complete)
        case .failed(let reason, let message): finish(.failed(reason: reason, message: message))
        case nil: seemsDrained ? [.readPods] : []
        }
    }

    private mutating func finish(_ end: End) -> [Action] {
        guard self.end == nil else { return [] }
        self.end = end
        return [.readPods]
    }

    private mutating func note(_ pod: PodSnapshot, isGone: Bool = false) -> [Action] {
        guard uid == nil || pod.jobUID == uid else { return [] }
        let isNews = pods.updateValue(pod, forKey: pod.uid) != pod
        if isGone { gonePods.insert(pod.uid) }
        return (isNews ? [.tell(pod)] : []) + (seemsDrained ? [.readPods] : [])
    }
}
