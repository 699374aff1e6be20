internal import JSON
internal import OrderedCollections
internal import PrefectAPI
internal import Synchronization

/// A job of another worker that was met, and the feed of its news.
struct FoundJob: Sendable {
    let place: JobPlace
    let labels: [String: String]
    let feed: JobFeed
    /// The job as it was met; `nil` when one of its pods was met before it.
    let job: JobSnapshot?
    /// Whether the settings ask for its observation; else it is met because nobody may look after its run.
    let isObserved: Bool
    /// Whether it had ended, or was deleted, when it was met.
    let hasEnded: Bool

    /// The flow run that it is labelled with.
    var flowRunID: String { labels[Labels.flowRunID] ?? "" }
}

/// The feeds of the jobs of a cluster: one for each that this worker follows, and one for each job of another worker that is
/// met where the runs of others are observed.
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
        /// How many of this worker's own jobs are in a namespace.
        var own: [String: Int] = [:]
        /// The jobs that exist, were met, and of which nothing more is to be told.
        var settled: Set<Key> = []
        /// The pools whose runs must not be orphaned, by their ids, and the namespaces where their jobs are.
        var pools: Set<String> = []
        var poolNamespaces: Set<String> = []
        var listeners: [Wakeup] = []
    }

    /// Which runs of others are observed; `nil` for none.
    let scope: ObservationScope?
    /// The jobs of others as they are met; for one reader.
    let found: AsyncStream<FoundJob>
    private let find: AsyncStream<FoundJob>.Continuation
    private let state = Mutex(State())

    init(scope: ObservationScope?) {
        self.scope = scope
        (found, find) = AsyncStream.makeStream(of: FoundJob.self)
    }

    /// Something that is signalled when another namespace is of interest; for one waiter.
    func listener() -> Wakeup {
        let listener = Wakeup()
        state.withLock { $0.listeners.append(listener) }
        return listener
    }

    func notify() { for listener in state.withLock({ $0.listeners }) { listener.signal() } }

    // MARK: Own jobs

    /// The feed of a job of this worker's, whether or not the job exists yet. Returns whether it is new: then what happened
    /// before is not in it.
    ///
    /// - Parameter isToBeCreated: Whether this worker creates the job after this, so that all of its output is new.
    func follow(_ key: Key, isToBeCreated: Bool = false) -> (feed: JobFeed, isNew: Bool) {
        let (feed, observed, isNew) = state.withLock { state -> (JobFeed, JobFeed?, Bool) in
            let entry = state.entries[key]
            if let entry, entry.isOwn { return (entry.feed, nil, false) }
            let feed = JobFeed(hasAllOutput: isToBeCreated)
            state.entries[key] = Entry(feed: feed, isOwn: true)
            state.own[key.namespace, default: 0] += 1
            return (feed, entry?.feed, true)
        }
        // Whoever observed it so far leaves it to its worker.
        observed?.close()
        if isNew { notify() }
        return (feed, isNew)
    }

    /// This worker does not follow the job any more.
    func forget(_ key: Key) {
        state.withLock { state in
            guard state.entries[key]?.isOwn == true else { return }
            state.entries[key] = nil
            state.own[key.namespace] = (state.own[key.namespace] ?? 1) - 1
            if scope != nil || !state.pools.isEmpty { state.settled.insert(key) }
        }
    }

    /// How many jobs of this worker's are followed.
    var ownCount: Int { state.withLock { $0.own.values.reduce(0, +) } }

    // MARK: Jobs of others

    /// Whether jobs of others are met at all.
    var meetsOthers: Bool { scope != nil || state.withLock { !$0.pools.isEmpty } }

    /// Meets the jobs of these pools, in these namespaces and wherever else is watched, that end badly or are deleted.
    func meetEnded(ofPools pools: Set<String>, in namespaces: Set<String>) {
        state.withLock { state in
            state.pools.formUnion(pools)
            state.poolNamespaces.formUnion(namespaces)
        }
        notify()
    }

    /// Nothing more is to be told of a job of another worker.
    func settle(_ found: FoundJob) {
        let key = Key(namespace: found.place.namespace, name: found.place.name)
        state.withLock { state in
            guard state.entries[key]?.feed === found.feed else { return }
            state.entries[key] = nil
            state.settled.insert(key)
        }
    }

    /// A job is there: passes it on, and begins to observe it if that is asked for and it has not ended well.
    func pass(_ job: JobSnapshot, of object: JSONValue) {
        let key = Key(namespace: job.namespace, name: job.name)
        feed(key, beginsIf: job.ending != .complete, object, job.place, job, hasEnded: job.ending != nil)?
            .add(.job(job))
    }

    /// A job was deleted: passes that on, and meets it if its run may need that. Another of its name would be another.
    func passDeleted(_ job: JobSnapshot, of object: JSONValue) {
        let key = Key(namespace: job.namespace, name: job.name)
        feed(key, beginsIf: job.ending != .complete, object, job.place, job, hasEnded: true)?
            .add(.jobDeleted(uid: job.uid))
        state.withLock { _ = $0.settled.remove(key) }
    }

    /// A pod is there: passes it on to its job, and begins to observe that if the pod is met first.
    func pass(_ pod: PodSnapshot, of object: JSONValue) {
        let key = Key(namespace: pod.namespace, name: pod.jobName)
        let place = JobPlace(namespace: pod.namespace, name: pod.jobName, uid: pod.jobUID, server: nil)
        feed(key, beginsIf: !pod.hasEnded, object, place, nil, hasEnded: false)?.add(.pod(pod))
    }

    private func feed(
        _ key: Key, beginsIf isOfInterest: Bool, _ object: JSONValue, _ place: JobPlace, _ job: JobSnapshot?,
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

    /// The feed of a job, if somebody wants to know of it.
    func feed(_ key: Key) -> JobFeed? { state.withLock { $0.entries[key]?.feed } }

    /// The feeds of a namespace, or of all.
    func feeds(in namespace: String) -> [Key: JobFeed] {
        state.withLock { state in
            state.entries.filter { namespace == Resource.allNamespaces || $0.key.namespace == namespace }
                .mapValues(\.feed)
        }
    }

    /// All jobs of a namespace that have not ended well are these.
    func prune(in namespace: String, listed: Set<Key>) {
        state.withLock { state in
            state.settled = state.settled.filter {
                listed.contains($0) || namespace != Resource.allNamespaces && $0.namespace != namespace
            }
        }
    }

    // MARK: Namespaces

    /// The namespaces where something is to be watched; ``Resource/allNamespaces`` for the whole cluster.
    var namespaces: Set<String> {
        var namespaces = state.withLock { $0.poolNamespaces.union($0.own.keys) }
        if let scope { namespaces.formUnion(scope.namespaces.isEmpty ? [Resource.allNamespaces] : scope.namespaces) }
        return namespaces
    }

    /// Whether a kind is to be watched in a namespace by itself. Jobs that are met only when they have ended need no watch of pods.
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
