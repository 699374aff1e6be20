internal import BackendKit
internal import PrefectJSON

/// The state of a run's job, according to the notifications. A value without I/O.
///
/// The job ends by positive evidence alone: its own status, or the API server's answer that the job does not exist. A
/// job that is being deleted and has no live pod any more has ended as well.
struct JobProgress: Sendable {
    /// An action that the follower has to carry out.
    enum Action: Sendable, Hashable {
        /// Request the job's pods, and pass the answer to ``handle(pods:)``.
        case readPods
        /// Report a pod whose state has not been reported yet.
        case report(PodSnapshot)
    }

    /// How the job ended.
    enum End: Sendable, Hashable {
        case complete
        case failed(reason: String, message: String)
        /// The job was deleted; whether it had ended well before is not known.
        case gone
    }

    /// The job's uid, once it is known.
    private(set) var uid: String?
    /// How the job ended, once that is certain.
    private(set) var end: End?
    /// When the job failed, according to its status.
    private(set) var failed: Timestamp?
    /// The last known states of its pods, without their labels. They include pods that are gone.
    private(set) var pods: [String: PodSnapshot] = [:]
    /// The pods that do not exist any more.
    private var gonePods: Set<String> = []
    private var hasReadPods = false
    private(set) var isSuspended = false
    /// Whether the deletion of the job has been requested.
    private(set) var isDeleting = false

    init(uid: String?) { self.uid = uid }

    /// Whether everything is known of the end, which includes how the pods ended.
    var isOver: Bool { end != nil && hasReadPods && (end != .gone || livePods.isEmpty) }

    /// The pods that exist and have not ended.
    var livePods: [PodSnapshot] { pods.values.filter { !gonePods.contains($0.uid) && !$0.hasEnded } }

    /// Whether nothing more will come of the job, as far as is known: it is being deleted, and none of its pods is
    /// live. A job that is being deleted makes no more pods, however long the cluster takes to remove it.
    private var seemsDrained: Bool { isDeleting && end == nil && !pods.isEmpty && livePods.isEmpty }

    /// Whether a pod's flow has begun.
    var hasBegun: Bool { pods.values.contains { $0.hasBegun || $0.hasEnded } }

    /// The pod that was created last.
    var latestPod: PodSnapshot? { newestPods.first }

    private var newestPods: [PodSnapshot] {
        pods.values.sorted { ($0.created ?? .earliest, $0.name) > ($1.created ?? .earliest, $1.name) }
    }

    /// The pods that have not ended well, the newest first.
    var failedPods: [PodSnapshot] { newestPods.filter { $0.phase != "Succeeded" && $0.termination?.exitCode != 0 } }

    /// Handles a notification. Returns the resulting actions.
    mutating func handle(_ notice: ClusterWatch.Watch.Notice) -> [Action] {
        switch notice {
        case .status(let job), .end(let job?): handle(job)
        case .end(nil): finish(.gone)
        case .event(.pod(let pod)): note(pod)
        case .event(.podDeleted(let pod)): note(pod, isGone: true)
        case .event(.due): end == nil ? [] : [.readPods]
        }
    }

    /// Handles the API server's answer to a request for the pods.
    mutating func handle(pods found: [PodSnapshot]) -> [Action] {
        let actions = found.flatMap { note($0) }.filter { $0 != .readPods }
        gonePods.formUnion(Set(pods.keys).subtracting(found.map(\.uid)))
        gonePods.subtract(found.map(\.uid))
        if seemsDrained { end = .gone }
        hasReadPods = end != nil
        return actions
    }

    /// Handles pods that cannot be read: their last known states have to suffice.
    mutating func handlePodsUnreadable() {
        hasReadPods = true
        gonePods = Set(pods.keys)
    }

    private mutating func handle(_ job: JobSnapshot) -> [Action] {
        guard end == nil else { return [] }
        // Another job has the name now, so this job does not exist any more.
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
        let kept = pod.withoutLabels
        let hasChanged = pods.updateValue(kept, forKey: pod.uid) != kept
        if isGone { gonePods.insert(pod.uid) }
        return (hasChanged ? [.report(pod)] : []) + (seemsDrained ? [.readPods] : [])
    }
}
