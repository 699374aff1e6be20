internal import BackendKit
internal import OrderedCollections
internal import PrefectJSON
internal import Synchronization

/// A job of another worker that was found, and the notifications about it.
struct FoundJob: Sendable {
    let place: JobReference
    let labels: [String: String]
    let notices: ClusterWatch.Notices
    /// The job as it was found; `nil` when one of its pods was found before it.
    let job: JobSnapshot?
    /// Whether the settings require its observation. Otherwise it was found because its run may be orphaned.
    let isObserved: Bool
    /// Whether the job had ended, or was deleted, when it was found.
    let hasEnded: Bool

    /// The flow run that the job's label names.
    var flowRunID: String { labels[Labels.flowRunID] ?? "" }
}

/// The jobs of other workers in a cluster: which of them are followed, and where they are looked for.
final class ForeignJobs: Sendable {
    struct Key: Sendable, Hashable {
        let namespace: String
        let name: String

        init(_ place: JobReference) { (namespace, name) = (place.namespace, place.name) }
    }

    private struct State {
        var followed: Set<Key> = []
        /// The existing jobs that need no further report.
        var settled: Set<Key> = []
        /// The ids of the pools whose runs must not be orphaned.
        var pools: Set<String> = []
        /// The namespaces of the jobs of these pools.
        var poolNamespaces: Set<String> = []
    }

    /// The runs of other workers that are observed; `nil` for none.
    let scope: ObservationScope?
    /// The jobs as they are found; for one reader.
    let found: AsyncStream<FoundJob>
    private let find: AsyncStream<FoundJob>.Continuation
    private let state = Mutex(State())

    init(scope: ObservationScope?) {
        self.scope = scope
        (found, find) = AsyncStream.makeStream(of: FoundJob.self)
    }

    /// Looks for the jobs of a pool that fail or are deleted.
    func add(pool: String, in namespaces: Set<String>) {
        state.withLock { state in
            state.pools.insert(pool)
            state.poolNamespaces.formUnion(namespaces)
        }
    }

    /// Finds a job that is not known, if the settings or its end require that.
    func meet(
        _ place: JobReference, _ job: JobSnapshot?, of object: JSONValue, hasEnded: Bool,
        in watch: @autoclosure () -> ClusterWatch.Watch
    ) {
        state.withLock { state in
            let key = Key(place)
            guard scope != nil || hasEnded, !state.followed.contains(key), !state.settled.contains(key) else { return }
            let labels = (object["metadata"]?["labels"]?.objectValue ?? [:])
                .reduce(into: [:]) { $0[$1.key] = $1.value.stringValue }
            let isObserved = scope?.covers(namespace: place.namespace, labels: labels) == true
            let isOfPool = hasEnded && labels[Labels.workPoolID].map(state.pools.contains) == true
            guard isObserved || isOfPool else { return }
            state.followed.insert(key)
            // The stream that has found the job reports its status.
            let watch = watch()
            let notices = ClusterWatch.Notices(stream: watch.notices(of: place.name, isDeferred: true))
            watch.release(place.name)
            find.yield(
                FoundJob(
                    place: place, labels: labels, notices: notices, job: job, isObserved: isObserved,
                    hasEnded: hasEnded))
        }
    }

    /// Whether a job is followed here, and not by this worker as its own.
    func isFollowed(_ place: JobReference) -> Bool { state.withLock { $0.followed.contains(Key(place)) } }

    /// Records that a job is this worker's own now.
    func leave(_ place: JobReference) { state.withLock { _ = $0.followed.remove(Key(place)) } }

    /// Records that a job needs no further report.
    func settle(_ place: JobReference) {
        state.withLock { state in
            state.followed.remove(Key(place))
            if scope != nil || !state.pools.isEmpty { state.settled.insert(Key(place)) }
        }
    }

    /// The settled jobs of a namespace.
    func settled(in namespace: String) -> Set<Key> {
        state.withLock { state in
            state.settled.filter { namespace == Resource.allNamespaces || $0.namespace == namespace }
        }
    }

    /// Forgets settled jobs that do not exist any more. Another job of their name would be a different job.
    func forget(_ gone: Set<Key>) { state.withLock { $0.settled.subtract(gone) } }

    /// The namespaces in which jobs of other workers are looked for; ``Resource/allNamespaces`` for the whole cluster.
    var namespaces: Set<String> { scopeNamespaces.union(state.withLock { $0.poolNamespaces }) }

    private var scopeNamespaces: Set<String> {
        scope.map { $0.namespaces.isEmpty ? [Resource.allNamespaces] : $0.namespaces } ?? []
    }

    /// Whether a kind is to be watched in a namespace. Jobs that are found only after their end need no watch of pods.
    func needs(_ resource: Resource, in namespace: String) -> Bool {
        scopeNamespaces.contains(namespace)
            || resource == .jobs && state.withLock { $0.poolNamespaces.contains(namespace) }
    }
}
