internal import BackendKit
internal import PrefectConcurrency
internal import PrefectJSON
internal import Synchronization

/// Watches the jobs of this worker's runs in a cluster and their pods, and those of other workers as far as they are
/// observed. Each namespace has a ``TaskWatch`` of its jobs. Lists and watches of the API server report to it.
final class ClusterWatch: Sendable {
    typealias Watch = TaskWatch<JobSource>

    /// The notifications about a job.
    struct Notices: Sendable {
        let stream: AsyncStream<Watch.Notice>
        /// Whether no change of the job's pods is missing.
        var isComplete = true
        /// Whether none of the job's output was printed before, because this process has created the job.
        var hasAllOutput = false
    }

    private struct Own {
        let isNew: Bool
        /// The notifications until a follower takes them.
        var notices: AsyncStream<Watch.Notice>?
    }

    private struct Place {
        let watch: Watch
        var own: [String: Own] = [:]
    }

    private struct State {
        var places: [String: Place] = [:]
        /// The kinds that may not be listed in the whole cluster, so that they are watched by namespace.
        var refused: Set<Resource> = []
        /// When the watches of pods were lost, by their namespaces.
        var lostPods: [String: ContinuousClock.Instant] = [:]
        var listeners: [AsyncSignal] = []
    }

    let client: KubernetesClient
    let availability: Availability
    let log: OperatorLog
    /// The jobs of other workers.
    let foreign: ForeignJobs
    private let state = Mutex(State())

    init(client: KubernetesClient, availability: Availability, observing scope: ObservationScope?, log: OperatorLog) {
        self.client = client
        self.availability = availability
        self.log = log
        foreign = ForeignJobs(scope: scope)
    }

    /// The longest time for which a list or watch has been lost; zero while none is.
    var lag: Duration {
        state.withLock { state in
            let pods = state.lostPods.values.min().map { .now - $0 } ?? .zero
            return max(pods, state.places.values.map(\.watch.lag).max() ?? .zero)
        }
    }

    // MARK: Own jobs

    /// Begins to follow a job of this worker, and keeps its notifications until a follower takes them. Returns whether
    /// the job was not followed before.
    ///
    /// - Parameter isNew: Whether this worker creates the job after this call.
    @discardableResult
    func follow(_ job: JobReference, isNew: Bool = false) -> Bool {
        let isFirst = state.withLock { state in
            let watch = watch(in: job.namespace, &state)
            guard state.places[job.namespace]?.own[job.name] == nil else { return false }
            state.places[job.namespace]?.own[job.name] = Own(
                isNew: isNew, notices: watch.notices(of: job.name, isDeferred: true))
            if !isNew { watch.changed(job.name) }
            // An observer of the job stops, since the job's own worker follows it now.
            foreign.leave(job)
            return true
        }
        if isFirst { notify() }
        return isFirst
    }

    /// The notifications about a job of this worker that exists. One follower takes them; a later one gets those that
    /// follow.
    func notices(of job: JobReference) -> Notices {
        let isFirst = follow(job)
        let watch = watch(in: job.namespace)
        defer { watch.release(job.name) }
        let (kept, isNew) = state.withLock { state in
            defer { state.places[job.namespace]?.own[job.name]?.notices = nil }
            let own = state.places[job.namespace]?.own[job.name]
            return (own?.notices, own?.isNew == true)
        }
        return Notices(
            stream: kept ?? watch.notices(of: job.name), isComplete: kept != nil && !isFirst,
            hasAllOutput: isNew)
    }

    /// Stops following a job of this worker.
    func forget(_ job: JobReference) {
        let own = state.withLock { $0.places[job.namespace]?.own.removeValue(forKey: job.name) }
        if own != nil { foreign.settle(job) }
    }

    // MARK: Jobs of others

    /// Finds the jobs of a pool that fail or are deleted, in these namespaces and wherever else jobs are watched.
    func meetEnded(ofPool pool: String, in namespaces: Set<String>) {
        foreign.add(pool: pool, in: namespaces)
        notify()
    }

    // MARK: Reports of lists and watches

    /// Passes on a job that exists.
    func pass(_ job: JobSnapshot, of object: JSONValue) {
        met(job.place, job, of: object, isOfInterest: job.ending != .complete, hasEnded: job.ending != nil)?
            .reported(job, of: job.name)
    }

    /// Passes on the deletion of a job. Only the API server's answer to a request confirms it.
    func passDeleted(_ job: JobSnapshot, of object: JSONValue) {
        met(job.place, job, of: object, isOfInterest: job.ending != .complete, hasEnded: true)?.changed(job.name)
        foreign.forget([ForeignJobs.Key(job.place)])
    }

    /// Passes on a pod to those who follow its job.
    func pass(_ pod: PodSnapshot, of object: JSONValue) {
        let job = JobReference(namespace: pod.namespace, name: pod.jobName, uid: pod.jobUID, server: nil)
        met(job, nil, of: object, isOfInterest: !pod.hasEnded, hasEnded: false)?.happened(.pod(pod), to: pod.jobName)
    }

    /// Passes on the deletion of a pod.
    func passDeleted(_ pod: PodSnapshot) {
        let watch = state.withLock { $0.places[pod.namespace]?.watch }
        watch?.happened(.podDeleted(pod), to: pod.jobName)
    }

    /// The watch of a job, if its namespace has one. Begins to observe the job of another worker, if that is required.
    private func met(
        _ job: JobReference, _ snapshot: JobSnapshot?, of object: JSONValue, isOfInterest: Bool, hasEnded: Bool
    ) -> Watch? {
        let (watch, isNew) = state.withLock { state -> (Watch?, Bool) in
            let known = state.places[job.namespace]
            if isOfInterest, known?.own[job.name] == nil {
                foreign.meet(job, snapshot, of: object, hasEnded: hasEnded, in: self.watch(in: job.namespace, &state))
            }
            let place = state.places[job.namespace]
            return (place?.watch, known == nil && place != nil)
        }
        if isNew { notify() }
        return watch
    }

    // MARK: Namespaces

    /// The watches of all namespaces in which jobs are followed or looked for.
    var watches: [String: Watch] {
        state.withLock { state in
            for namespace in foreign.namespaces { _ = watch(in: namespace, &state) }
            return state.places.mapValues(\.watch)
        }
    }

    /// The watches to which the list of a namespace reports. A list of the whole cluster reports to all of them.
    func watches(in namespace: String) -> [Watch] {
        state.withLock { state in
            if namespace == Resource.allNamespaces, !state.refused.contains(.jobs) {
                return state.places.values.map(\.watch)
            }
            return state.places[namespace].map { [$0.watch] } ?? []
        }
    }

    /// The watch of a namespace.
    func watch(in namespace: String) -> Watch { state.withLock { watch(in: namespace, &$0) } }

    private func watch(in namespace: String, _ state: inout State) -> Watch {
        if let known = state.places[namespace] { return known.watch }
        let source = JobSource(client: client, namespace: namespace, availability: availability, log: log)
        // A list of the whole cluster may report to the watch already.
        let isConnected =
            !state.refused.contains(.jobs) && state.places[Resource.allNamespaces]?.watch.isConnected == true
        let watch = Watch(source, JobSource.policy, isConnected: isConnected)
        state.places[namespace] = Place(watch: watch)
        return watch
    }

    /// Whether a kind is to be listed and watched in a namespace.
    func isNeeded(_ resource: Resource, in namespace: String) -> Bool {
        foreign.needs(resource, in: namespace) || state.withLock { $0.places[namespace]?.own.isEmpty == false }
    }

    /// Whether a list and watch of the whole cluster covers a kind in a namespace.
    func isCovered(_ resource: Resource, in namespace: String) -> Bool {
        namespace != Resource.allNamespaces && foreign.needs(resource, in: Resource.allNamespaces)
            && !state.withLock { $0.refused.contains(resource) }
    }

    /// Records whether a kind may be listed in a namespace, which matters for the whole cluster.
    func note(_ resource: Resource, in namespace: String, isRefused: Bool) {
        guard namespace == Resource.allNamespaces else { return }
        let hasChanged = state.withLock { state in
            isRefused ? state.refused.insert(resource).inserted : state.refused.remove(resource) != nil
        }
        if hasChanged { notify() }
    }

    /// Records whether a list or watch is lost. The end of a job does not depend on the watch of pods.
    func note(_ resource: Resource, in namespace: String, isLost: Bool) {
        guard resource == .jobs else {
            return state.withLock { $0.lostPods[namespace] = isLost ? $0.lostPods[namespace] ?? .now : nil }
        }
        for watch in watches(in: namespace) { if isLost { watch.disconnected() } else { watch.resumed() } }
    }

    /// A listener that is signalled when another place is to be watched; for one waiter.
    func listener() -> AsyncSignal {
        let listener = AsyncSignal()
        state.withLock { $0.listeners.append(listener) }
        return listener
    }

    private func notify() { for listener in state.withLock({ $0.listeners }) { listener.signal() } }
}
