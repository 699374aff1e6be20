internal import JSON
internal import PrefectAPI
internal import Synchronization

/// Watches the jobs of all runs in a cluster and their pods: one list and watch a namespace and kind, whose news go to the
/// feeds of those who follow a job. What nobody follows is let go as it is read.
final class ClusterWatch: Sendable {
    private struct Key: Hashable {
        let namespace: String
        let name: String
    }

    private struct State {
        var feeds: [Key: JobFeed] = [:]
        var namespaces: [String: Int] = [:]
        /// The watches that are lost, by what they watch, and since when.
        var lost: [String: ContinuousClock.Instant] = [:]
    }

    private let client: KubernetesClient
    private let availability: Availability
    private let notice: @Sendable (String) -> Void
    private let state = Mutex(State())
    private let changed = Wakeup()

    init(client: KubernetesClient, availability: Availability, notice: @escaping @Sendable (String) -> Void) {
        self.client = client
        self.availability = availability
        self.notice = notice
    }

    // MARK: Followers

    /// The feed of a job, whether or not the job exists yet. Returns whether it is new: then what happened before is not in
    /// it.
    func follow(namespace: String, name: String) -> (feed: JobFeed, isNew: Bool) {
        let key = Key(namespace: namespace, name: name)
        let result = state.withLock { state -> (JobFeed, Bool) in
            if let feed = state.feeds[key] { return (feed, false) }
            let feed = JobFeed()
            state.feeds[key] = feed
            state.namespaces[namespace, default: 0] += 1
            return (feed, true)
        }
        if result.1 { changed.signal() }
        return result
    }

    /// Nobody follows the job any more.
    func forget(namespace: String, name: String) {
        state.withLock { state in
            guard state.feeds.removeValue(forKey: Key(namespace: namespace, name: name)) != nil else { return }
            let left = (state.namespaces[namespace] ?? 1) - 1
            state.namespaces[namespace] = left
        }
    }

    /// For how long the watch has been lost that was lost first; zero while none is.
    var lag: Duration { state.withLock { $0.lost.values.min().map { .now - $0 } ?? .zero } }

    private func noteWatch(of resource: Resource, in namespace: String, isLost: Bool) {
        let key = "\(resource.rawValue)/\(namespace)"
        state.withLock { $0.lost[key] = isLost ? $0.lost[key] ?? .now : nil }
    }

    /// How many jobs are followed.
    var count: Int { state.withLock { $0.feeds.count } }

    private func isNeeded(_ namespace: String) -> Bool { state.withLock { ($0.namespaces[namespace] ?? 0) > 0 } }

    private func feed(_ namespace: String, _ name: String) -> JobFeed? {
        state.withLock { $0.feeds[Key(namespace: namespace, name: name)] }
    }

    private func feeds(in namespace: String) -> [String: JobFeed] {
        state.withLock { state in
            Dictionary(
                state.feeds.filter { $0.key.namespace == namespace }.map { ($0.key.name, $0.value) },
                uniquingKeysWith: { $1 })
        }
    }

    // MARK: Watching

    /// Watches wherever something is followed, until the task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            var watched: Set<String> = []
            while !Task.isCancelled {
                for namespace in state.withLock({ Array($0.namespaces.keys) }) where watched.insert(namespace).inserted
                {
                    group.addTask { await self.watch(.jobs, in: namespace) }
                    group.addTask { await self.watch(.pods, in: namespace) }
                }
                await changed.wait()
            }
        }
    }

    private func watch(_ resource: Resource, in namespace: String) async {
        var progress = WatchProgress()
        var hasSaid = false
        while !Task.isCancelled {
            if !isNeeded(namespace) {
                noteWatch(of: resource, in: namespace, isLost: false)
                // Whoever comes next is told everything by a new list.
                progress = WatchProgress()
                await waitUntilNeeded(namespace)
                continue
            }
            do {
                switch progress.step {
                case .list:
                    progress.handle(.listed(version: try await list(resource, in: namespace)))
                    noteWatch(of: resource, in: namespace, isLost: false)
                case .watch(let version):
                    let began = ContinuousClock.now
                    let last = try await watch(resource, in: namespace, from: version) { progress.handle($0) }
                    if let error = last { throw error }
                    // What ends at once would be begun again without a pause.
                    if began.duration(to: .now) < .milliseconds(100) { try await Task.sleep(for: .seconds(1)) }
                    progress.handle(.ended)
                case .pause(let duration):
                    try await Task.sleep(for: duration)
                    progress.handle(.rested)
                case .leaveToFollowers:
                    for feed in feeds(in: namespace).values { feed.add(.unwatched) }
                    progress.leftToFollowers()
                }
                if hasSaid, progress.failures == 0, case .watch = progress.step {
                    hasSaid = false
                    notice("The \(resource.rawValue) in the namespace '\(namespace)' are watched again")
                }
            } catch let error as KubernetesError {
                availability.note(error)
                noteWatch(of: resource, in: namespace, isLost: true)
                progress.handle(.failed(error))
                guard !hasSaid, error.kind != .expired, progress.failures > 1 || !error.isTransient else { continue }
                hasSaid = true
                notice(sayLoss(of: resource, in: namespace, error, progress))
            } catch {
                return
            }
        }
    }

    private func waitUntilNeeded(_ namespace: String) async {
        while !Task.isCancelled, !isNeeded(namespace) {
            await changed.wait()
        }
    }

    private func sayLoss(
        of resource: Resource, in namespace: String, _ error: KubernetesError, _ progress: WatchProgress
    ) -> String {
        let what = "The \(resource.rawValue) in the namespace '\(namespace)' cannot be watched"
        let why = Refusal.explanation(
            error, verb: "\(progress.isPolling ? "watch" : "list") \(resource.rawValue)", namespace: namespace,
            access: client.access)
        let meanwhile =
            switch progress.step {
            case .leaveToFollowers where resource == .pods: "nothing is known of pods until then"
            case .leaveToFollowers: "each run's job is asked for by itself until then"
            case _ where progress.isPolling: "they are listed every \(WatchProgress.pollInterval) until then"
            default: "the worker keeps trying, and no run is taken for lost because of it"
            }
        return "\(what): \(why); \(meanwhile)"
    }

    /// Which objects are listed: those of Prefect's runs that are worth looking at. Of those that have ended well nothing
    /// is to be said any more; who waits for one of them asks for it.
    private func selection(_ resource: Resource, in namespace: String) -> Selection {
        Selection(
            namespace: namespace, labels: Labels.flowRunID,
            fields: resource == .jobs ? "status.successful=0" : "status.phase!=Succeeded")
    }

    private func list(_ resource: Resource, in namespace: String) async throws -> String {
        let followed = feeds(in: namespace)
        var listed: Set<String> = []
        let version = try await client.list(resource, selection(resource, in: namespace)) { object in
            switch resource {
            case .jobs:
                guard let job = JobSnapshot(object), let feed = followed[job.name] else { return }
                listed.insert(job.name)
                feed.add(.job(job))
            default:
                guard let pod = PodSnapshot(object), let feed = followed[pod.jobName] else { return }
                feed.add(.pod(pod))
            }
        }
        if resource == .jobs {
            for (name, feed) in followed where !listed.contains(name) { feed.add(.jobUnlisted) }
        }
        return version
    }

    /// Passes on what a watch tells, until it ends. Returns the error that it ended with, if it was one of its own.
    private func watch(
        _ resource: Resource, in namespace: String, from version: String, progress: (WatchProgress.Event) -> Void
    ) async throws -> KubernetesError? {
        var failure: KubernetesError?
        let selection = Selection(namespace: namespace, labels: Labels.flowRunID)
        try await client.watch(resource, selection, from: version) { event in
            if case .failed(let error) = event { return failure = error }
            noteWatch(of: resource, in: namespace, isLost: false)
            if let version = event.version { progress(.progressed(version: version)) }
            pass(event, of: resource, in: namespace)
        }
        return failure
    }

    private func pass(_ event: WatchEvent, of resource: Resource, in namespace: String) {
        switch (event, resource) {
        case (.added(let object), .jobs), (.modified(let object), .jobs):
            guard let job = JobSnapshot(object) else { return }
            feed(namespace, job.name)?.add(.job(job))
        case (.deleted(let object), .jobs):
            guard let job = JobSnapshot(object) else { return }
            feed(namespace, job.name)?.add(.jobDeleted(uid: job.uid))
        case (.added(let object), .pods), (.modified(let object), .pods):
            guard let pod = PodSnapshot(object) else { return }
            feed(namespace, pod.jobName)?.add(.pod(pod))
        case (.deleted(let object), .pods):
            guard let pod = PodSnapshot(object) else { return }
            feed(namespace, pod.jobName)?.add(.podDeleted(pod))
        default: break
        }
    }
}
