internal import OrderedCollections
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON
internal import Synchronization

/// A job of another worker that was found, and the feed of its notifications.
struct FoundJob: Sendable {
    let place: JobReference
    let labels: [String: String]
    let feed: JobFeed
    /// The job as it was found; `nil` when one of its pods was found before it.
    let job: JobSnapshot?
    /// Whether the settings require its observation. Otherwise it was found because its run may be orphaned.
    let isObserved: Bool
    /// Whether the job had ended, or was deleted, when it was found.
    let hasEnded: Bool

    /// The flow run that the job's label names.
    var flowRunID: String { labels[Labels.flowRunID] ?? "" }
}

/// The feeds of the jobs of a cluster. Each job that this worker follows has one. Each job of another worker that is
/// found where such runs are observed has one, too.
final class JobFeeds: Sendable {
    struct Key: Sendable, Hashable {
        let namespace: String
        let name: String
    }

    private struct Entry {
        let feed: JobFeed
        let isOwn: Bool
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        /// The number of this worker's own jobs in each namespace.
        var own: [String: Int] = [:]
        /// The existing jobs that were found and need no further report.
        var settled: Set<Key> = []
        /// The ids of the pools whose runs must not be orphaned.
        var pools: Set<String> = []
        /// The namespaces of the jobs of these pools.
        var poolNamespaces: Set<String> = []
        var listeners: [AsyncSignal] = []
    }

    /// The runs of other workers that are observed; `nil` for none.
    let scope: ObservationScope?
    /// The jobs of other workers as they are found; for one reader.
    let found: AsyncStream<FoundJob>
    private let find: AsyncStream<FoundJob>.Continuation
    private let state = Mutex(State())

    init(scope: ObservationScope?) {
        self.scope = scope
        (found, find) = AsyncStream.makeStream(of: FoundJob.self)
    }

    /// A listener that is signalled when another namespace is to be watched; for one waiter.
    func listener() -> AsyncSignal {
        let listener = AsyncSignal()
        state.withLock { $0.listeners.append(listener) }
        return listener
    }

    func notify() { for listener in state.withLock({ $0.listeners }) { listener.signal() } }

    // MARK: Own jobs

    /// The feed of a job of this worker, whether or not the job exists yet. Returns whether the feed is new. A new
    /// feed contains no earlier events.
    ///
    /// - Parameter isToBeCreated: Whether this worker creates the job after this call, so that all of its output is
    ///   new.
    func follow(_ key: Key, isToBeCreated: Bool = false) -> (feed: JobFeed, isNew: Bool) {
        let (feed, observed, isNew) = state.withLock { state -> (JobFeed, JobFeed?, Bool) in
            let entry = state.entries[key]
            if let entry, entry.isOwn { return (entry.feed, nil, false) }
            let feed = JobFeed(hasAllOutput: isToBeCreated)
            state.entries[key] = Entry(feed: feed, isOwn: true)
            state.own[key.namespace, default: 0] += 1
            return (feed, entry?.feed, true)
        }
        // An observer of the job stops, since the job's own worker follows it now.
        observed?.close()
        if isNew { notify() }
        return (feed, isNew)
    }

    /// Stops following a job of this worker.
    func forget(_ key: Key) {
        state.withLock { state in
            guard state.entries[key]?.isOwn == true else { return }
            state.entries[key] = nil
            state.own[key.namespace] = (state.own[key.namespace] ?? 1) - 1
            if scope != nil || !state.pools.isEmpty { state.settled.insert(key) }
        }
    }

    /// The number of this worker's jobs that are followed.
    var ownCount: Int { state.withLock { $0.own.values.reduce(0, +) } }

    // MARK: Jobs of others

    /// Whether the feeds look for jobs of other workers at all.
    var meetsOthers: Bool { scope != nil || state.withLock { !$0.pools.isEmpty } }

    /// Finds the jobs of these pools that fail or are deleted, in these namespaces and wherever else jobs are watched.
    func meetEnded(ofPools pools: Set<String>, in namespaces: Set<String>) {
        state.withLock { state in
            state.pools.formUnion(pools)
            state.poolNamespaces.formUnion(namespaces)
        }
        notify()
    }

    /// Records that a job of another worker needs no further report.
    func settle(_ found: FoundJob) {
        let key = Key(namespace: found.place.namespace, name: found.place.name)
        state.withLock { state in
            guard state.entries[key]?.feed === found.feed else { return }
            state.entries[key] = nil
            state.settled.insert(key)
        }
    }

    /// Passes on a job that exists. Begins to observe the job if that is required and the job has not ended well.
    func pass(_ job: JobSnapshot, of object: JSONValue) {
        let key = Key(namespace: job.namespace, name: job.name)
        feed(key, beginsIf: job.ending != .complete, object, job.place, job, hasEnded: job.ending != nil)?
            .add(.job(job))
    }

    /// Passes on the deletion of a job, and finds the job if its run may need that. Another job of its name would be a
    /// different job.
    func passDeleted(_ job: JobSnapshot, of object: JSONValue) {
        let key = Key(namespace: job.namespace, name: job.name)
        feed(key, beginsIf: job.ending != .complete, object, job.place, job, hasEnded: true)?
            .add(.jobDeleted(uid: job.uid))
        state.withLock { _ = $0.settled.remove(key) }
    }

    /// Passes on a pod to the feed of its job. Begins to observe the job if the pod is found first.
    func pass(_ pod: PodSnapshot, of object: JSONValue) {
        let key = Key(namespace: pod.namespace, name: pod.jobName)
        let place = JobReference(namespace: pod.namespace, name: pod.jobName, uid: pod.jobUID, server: nil)
        feed(key, beginsIf: !pod.hasEnded, object, place, nil, hasEnded: false)?.add(.pod(pod))
    }

    private func feed(
        _ key: Key, beginsIf isOfInterest: Bool, _ object: JSONValue, _ place: JobReference, _ job: JobSnapshot?,
        hasEnded: Bool
    ) -> JobFeed? {
        let (feed, found) = state.withLock { state -> (JobFeed?, FoundJob?) in
            if let entry = state.entries[key] { return (entry.feed, nil) }
            guard isOfInterest, scope != nil || hasEnded, !state.settled.contains(key) else { return (nil, nil) }
            let labels = Self.labels(of: object)
            let isObserved = scope?.covers(namespace: key.namespace, labels: labels) == true
            let isOfPool = hasEnded && labels[Labels.workPoolID].map(state.pools.contains) == true
            guard isObserved || isOfPool else { return (nil, nil) }
            let feed = JobFeed()
            state.entries[key] = Entry(feed: feed, isOwn: false)
            return (
                feed,
                FoundJob(
                    place: place, labels: labels, feed: feed, job: job, isObserved: isObserved, hasEnded: hasEnded)
            )
        }
        if let found { find.yield(found) }
        return feed
    }

    private static func labels(of object: JSONValue) -> [String: String] {
        var labels: [String: String] = [:]
        for (key, value) in object["metadata"]?["labels"]?.objectValue ?? [:] { labels[key] = value.stringValue }
        return labels
    }

    // MARK: All jobs

    /// The feed of a job; `nil` if the job is neither followed nor observed.
    func feed(_ key: Key) -> JobFeed? { state.withLock { $0.entries[key]?.feed } }

    /// The feeds of a namespace, or of all namespaces.
    func feeds(in namespace: String) -> [Key: JobFeed] {
        state.withLock { state in
            state.entries.filter { namespace == Resource.allNamespaces || $0.key.namespace == namespace }
                .mapValues(\.feed)
        }
    }

    /// Forgets the settled jobs that are not in a list of all jobs of a namespace that have not ended well.
    func prune(in namespace: String, listed: Set<Key>) {
        state.withLock { state in
            state.settled = state.settled.filter {
                listed.contains($0) || namespace != Resource.allNamespaces && $0.namespace != namespace
            }
        }
    }

    // MARK: Namespaces

    /// The namespaces in which something is to be watched; ``Resource/allNamespaces`` for the whole cluster.
    var namespaces: Set<String> {
        var namespaces = state.withLock { $0.poolNamespaces.union($0.own.keys) }
        if let scope { namespaces.formUnion(scope.namespaces.isEmpty ? [Resource.allNamespaces] : scope.namespaces) }
        return namespaces
    }

    /// Whether a kind is to be watched in a namespace by itself. Jobs that are found only after their end need no
    /// watch of pods.
    func isNeeded(_ resource: Resource, in namespace: String) -> Bool {
        if let scope,
            scope.namespaces.isEmpty ? namespace == Resource.allNamespaces : scope.namespaces.contains(namespace)
        {
            return true
        }
        return state.withLock { state in
            (state.own[namespace] ?? 0) > 0 || resource == .jobs && state.poolNamespaces.contains(namespace)
        }
    }
}
