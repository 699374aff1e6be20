internal import Logging
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST
internal import Synchronization

/// Watches the jobs of all runs in a cluster and their pods. Each kind has one list and watch per namespace, or one
/// for the whole cluster. Notifications go to the feeds of the followed jobs. Objects that are not followed are
/// discarded as they are read.
final class ClusterWatch: Sendable {
    private let client: KubernetesClient
    private let availability: Availability
    private let logger: Logger
    /// The feeds of the followed jobs.
    let feeds: JobFeeds
    /// The kinds that may not be listed in the whole cluster, so that they are watched by namespace.
    private let refused = Mutex<Set<Resource>>([])
    /// The lost watches, by kind and namespace, each with the time of its loss.
    private let lost = Mutex<[String: ContinuousClock.Instant]>([:])

    init(
        client: KubernetesClient, availability: Availability, observing scope: ObservationScope?,
        logger: Logger
    ) {
        self.client = client
        self.availability = availability
        self.logger = logger
        feeds = JobFeeds(scope: scope)
    }

    /// The feed of a job, whether or not the job exists yet. Returns whether the feed is new. A new feed contains no
    /// earlier events.
    func follow(namespace: String, name: String, isToBeCreated: Bool = false) -> (feed: JobFeed, isNew: Bool) {
        feeds.follow(JobFeeds.Key(namespace: namespace, name: name), isToBeCreated: isToBeCreated)
    }

    /// Stops following the job.
    func forget(namespace: String, name: String) {
        feeds.forget(JobFeeds.Key(namespace: namespace, name: name))
    }

    /// How long the watch that was lost first has been lost; zero while no watch is lost.
    var lag: Duration { lost.withLock { $0.values.min().map { .now - $0 } ?? .zero } }

    private func noteWatch(of resource: Resource, in namespace: String, isLost: Bool) {
        let key = "\(resource.rawValue)/\(namespace)"
        lost.withLock { $0[key] = isLost ? $0[key] ?? .now : nil }
    }

    /// Watches every place where jobs are followed or observed, until the task is cancelled.
    func run() async {
        let changed = feeds.listener()
        await withDiscardingTaskGroup { group in
            var watched: Set<String> = []
            while !Task.isCancelled {
                for namespace in feeds.namespaces where watched.insert(namespace).inserted {
                    group.addTask { await self.watch(.jobs, in: namespace) }
                    group.addTask { await self.watch(.pods, in: namespace) }
                }
                await changed.wait()
            }
        }
    }

    /// Whether a kind needs a watch of its own in a namespace. A watch of the whole cluster covers every namespace.
    private func isNeeded(_ resource: Resource, in namespace: String) -> Bool {
        guard feeds.isNeeded(resource, in: namespace) else { return false }
        let isCovered =
            namespace != Resource.allNamespaces && feeds.isNeeded(resource, in: Resource.allNamespaces)
            && !refused.withLock { $0.contains(resource) }
        return !isCovered
    }

    /// Records whether a kind may be listed in the whole cluster.
    private func note(_ resource: Resource, in namespace: String, isRefused: Bool) {
        guard namespace == Resource.allNamespaces else { return }
        let hasChanged = refused.withLock { refused in
            isRefused ? refused.insert(resource).inserted : refused.remove(resource) != nil
        }
        if hasChanged { feeds.notify() }
    }

    private func watch(_ resource: Resource, in namespace: String) async {
        var progress = WatchProgress()
        var isLogged = false
        let changed = feeds.listener()
        while !Task.isCancelled {
            if !isNeeded(resource, in: namespace) {
                noteWatch(of: resource, in: namespace, isLost: false)
                // The next follower gets the whole state from a new list.
                progress = WatchProgress()
                await changed.wait()
                continue
            }
            do {
                switch progress.step {
                case .list:
                    progress.handle(.listed(version: try await list(resource, in: namespace)))
                    note(resource, in: namespace, isRefused: false)
                    noteWatch(of: resource, in: namespace, isLost: false)
                case .watch(let version):
                    let began = ContinuousClock.now
                    let last = try await watch(resource, in: namespace, from: version) { progress.handle($0) }
                    if let error = last { throw error }
                    // A watch that ends at once would be restarted without a pause.
                    if began.duration(to: .now) < .milliseconds(100) { try await Task.sleep(for: .seconds(1)) }
                    progress.handle(.ended)
                case .pause(let duration):
                    try await Task.sleep(for: duration)
                    progress.handle(.rested)
                case .leaveToFollowers:
                    if namespace != Resource.allNamespaces {
                        for feed in feeds.feeds(in: namespace).values { feed.add(.unwatched) }
                    }
                    note(resource, in: namespace, isRefused: true)
                    // A watch that is not permitted does not count as lost.
                    noteWatch(of: resource, in: namespace, isLost: false)
                    progress.leftToFollowers()
                }
                if isLogged, progress.failures == 0, case .watch = progress.step {
                    isLogged = false
                    logger.info("The \(resource.rawValue) in \(Self.words(for: namespace)) are watched again")
                }
            } catch let error as KubernetesError {
                availability.note(error)
                noteWatch(of: resource, in: namespace, isLost: true)
                progress.handle(.failed(error))
                guard !isLogged, error.kind != .expired, progress.failures > 1 || !error.isTransient else { continue }
                isLogged = true
                logger.warning("\(sayLoss(of: resource, in: namespace, error, progress))")
            } catch {
                return
            }
        }
    }

    private func sayLoss(
        of resource: Resource, in namespace: String, _ error: KubernetesError, _ progress: WatchProgress
    ) -> String {
        let what = "The \(resource.rawValue) in \(Self.words(for: namespace)) cannot be watched"
        let why = Refusal.explanation(
            error, verb: "\(progress.isPolling ? "watch" : "list") \(resource.rawValue)", namespace: namespace,
            access: client.access)
        let meanwhile =
            switch progress.step {
            case .leaveToFollowers where namespace == Resource.allNamespaces:
                "Meanwhile, \(resource.rawValue) of other workers' runs are not observed; set "
                    + "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES to permitted namespaces"
            case .leaveToFollowers where resource == .pods: "Meanwhile, pods are not observed"
            case .leaveToFollowers: "Meanwhile, the worker requests each run's job separately"
            case _ where progress.isPolling: "Meanwhile, the worker lists them every \(WatchProgress.pollInterval)"
            default: "The worker keeps trying, and considers no run lost because of this"
            }
        return "\(what): \(why). \(meanwhile)"
    }

    private static func words(for namespace: String) -> String {
        namespace == Resource.allNamespaces ? "the cluster" : "the namespace '\(namespace)'"
    }

    /// The objects to list: those of Prefect's runs that have not ended well. An object that has ended well needs no
    /// further report, and a follower that waits for it reads it directly.
    private func selection(_ resource: Resource, in namespace: String) -> Selection {
        Selection(
            namespace: namespace, labels: Labels.flowRunID,
            fields: resource == .jobs ? "status.successful=0" : "status.phase!=Succeeded")
    }

    private func list(_ resource: Resource, in namespace: String) async throws -> String {
        let followed = feeds.feeds(in: namespace)
        let meetsOthers = feeds.meetsOthers
        var listed: Set<JobFeeds.Key> = []
        let version = try await client.list(resource, selection(resource, in: namespace)) { object in
            switch resource {
            case .jobs:
                guard let job = JobSnapshot(object) else { return }
                let key = JobFeeds.Key(namespace: job.namespace, name: job.name)
                if meetsOthers || followed[key] != nil { listed.insert(key) }
                feeds.pass(job, of: object)
            default:
                if let pod = PodSnapshot(object) { feeds.pass(pod, of: object) }
            }
        }
        if resource == .jobs {
            for (key, feed) in followed where !listed.contains(key) { feed.add(.jobUnlisted) }
            feeds.prune(in: namespace, listed: listed)
        }
        return version
    }

    /// Passes on the events of a watch until the watch ends. Returns the error that the watch itself reported at its
    /// end, if there was one.
    private func watch(
        _ resource: Resource, in namespace: String, from version: String, progress: (WatchProgress.Event) -> Void
    ) async throws -> KubernetesError? {
        var failure: KubernetesError?
        let selection = Selection(namespace: namespace, labels: Labels.flowRunID)
        try await client.watch(resource, selection, from: version) { event in
            if case .failed(let error) = event { return failure = error }
            noteWatch(of: resource, in: namespace, isLost: false)
            if let version = event.version { progress(.progressed(version: version)) }
            pass(event, of: resource)
        }
        return failure
    }

    private func pass(_ event: WatchEvent, of resource: Resource) {
        switch (event, resource) {
        case (.added(let object), .jobs), (.modified(let object), .jobs):
            if let job = JobSnapshot(object) { feeds.pass(job, of: object) }
        case (.deleted(let object), .jobs):
            if let job = JobSnapshot(object) { feeds.passDeleted(job, of: object) }
        case (.added(let object), .pods), (.modified(let object), .pods):
            if let pod = PodSnapshot(object) { feeds.pass(pod, of: object) }
        case (.deleted(let object), .pods):
            guard let pod = PodSnapshot(object) else { return }
            feeds.feed(JobFeeds.Key(namespace: pod.namespace, name: pod.jobName))?.add(.podDeleted(pod))
        default: break
        }
    }
}
