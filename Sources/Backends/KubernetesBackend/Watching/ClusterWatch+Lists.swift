internal import BackendKit
internal import Logging
internal import PrefectConcurrency
internal import PrefectREST

// The lists and watches of the API server. Each kind has one list and watch per namespace, or one for the whole
// cluster. Objects that nobody follows are discarded as they are read.
extension ClusterWatch {
    /// The interval of requests for each job, where jobs may not be listed.
    private static let askInterval = Duration.seconds(5)

    /// Watches every place where jobs are followed or observed, until the task is cancelled.
    func run() async {
        let changed = listener()
        await withDiscardingTaskGroup { group in
            var running: Set<String> = []
            while !Task.isCancelled {
                for (namespace, watch) in watches where running.insert(namespace).inserted {
                    group.addTask { await watch.run() }
                    group.addTask { await self.follow(.jobs, in: namespace) }
                    group.addTask { await self.follow(.pods, in: namespace) }
                }
                await changed.wait()
            }
        }
    }

    private func follow(_ resource: Resource, in namespace: String) async {
        var progress = WatchProgress()
        var isLogged = false
        let changed = listener()
        while !Task.isCancelled {
            let isCovered = isCovered(resource, in: namespace)
            if isCovered || !isNeeded(resource, in: namespace) {
                if !isCovered { note(resource, in: namespace, isLost: false) }
                // The next follower gets the whole state from a new list.
                progress = WatchProgress()
                await changed.wait()
                continue
            }
            do {
                switch progress.step {
                case .list:
                    let version = try await list(resource, in: namespace)
                    progress.handle(.listed(version: version))
                    note(resource, in: namespace, isRefused: false)
                    note(resource, in: namespace, isLost: false)
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
                case .doWithoutList(let duration):
                    note(resource, in: namespace, isRefused: true)
                    // A watch that is not permitted does not count as lost.
                    note(resource, in: namespace, isLost: false)
                    try await requestEach(resource, in: namespace, for: duration)
                    progress.handle(.rested)
                }
                if isLogged, progress.failures == 0, case .watch = progress.step {
                    isLogged = false
                    log.logger.info("The \(resource.rawValue) in \(Self.words(for: namespace)) are watched again")
                }
            } catch let error as KubernetesError {
                availability.note(error)
                note(resource, in: namespace, isLost: true)
                progress.handle(.failed(error))
                guard !isLogged, error.kind != .expired, progress.failures > 1 || !error.isTransient else { continue }
                isLogged = true
                log.logger.warning("\(lossMessage(of: resource, in: namespace, error, progress))")
            } catch {
                return
            }
        }
    }

    /// Requests each job every few seconds for some time, because it is not listed. Pods are only read at the end.
    private func requestEach(_ resource: Resource, in namespace: String, for time: Duration) async throws {
        let end = ContinuousClock.now + time
        while ContinuousClock.now < end {
            for watch in watches(in: namespace) where resource == .jobs { watch.changed(nil) }
            try await Task.sleep(for: Self.askInterval)
        }
    }

    private func lossMessage(
        of resource: Resource, in namespace: String, _ error: KubernetesError, _ progress: WatchProgress
    ) -> String {
        let what = "The \(resource.rawValue) in \(Self.words(for: namespace)) cannot be watched"
        let why = Refusal.explanation(
            error, verb: "\(progress.isPolling ? "watch" : "list") \(resource.rawValue)", namespace: namespace,
            access: client.access)
        let meanwhile =
            switch progress.step {
            case .doWithoutList where namespace == Resource.allNamespaces:
                "Meanwhile, \(resource.rawValue) of other workers' runs are not observed; set "
                    + "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES to permitted namespaces"
            case .doWithoutList where resource == .pods: "Meanwhile, pods are not observed"
            case .doWithoutList: "Meanwhile, the worker requests each run's job separately"
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
        var unlisted: Set<ForeignJobs.Key> = []
        if resource == .jobs {
            unlisted = foreign.settled(in: namespace)
            // The followed jobs that the list does not report are requested when it is complete.
            note(resource, in: namespace, isLost: true)
            for watch in watches(in: namespace) { watch.changed(nil) }
        }
        let version = try await client.list(resource, selection(resource, in: namespace)) { object in
            if resource == .jobs, let job = JobSnapshot(object) {
                unlisted.remove(ForeignJobs.Key(job.place))
                pass(job, of: object)
            } else if let pod = PodSnapshot(object) {
                pass(pod, of: object)
            }
        }
        foreign.forget(unlisted)
        return version
    }

    /// Passes on the events of a watch until the watch ends. Returns the error that the watch itself reported at its
    /// end, if there was one.
    private func watch(
        _ resource: Resource, in namespace: String, from version: String, progress: (WatchProgress.Event) -> Void
    ) async throws -> KubernetesError? {
        var failure: KubernetesError?
        let selection = Selection(namespace: namespace, labels: Labels.flowRunID)
        try await client.watch(resource, selection, from: version) {
            // The watch begins at the last version, so it reports what has happened since.
            note(resource, in: namespace, isLost: false)
        } each: { event in
            if case .failed(let error) = event { return failure = error }
            if let version = event.version { progress(.progressed(version: version)) }
            pass(event, of: resource)
        }
        return failure
    }

    private func pass(_ event: WatchEvent, of resource: Resource) {
        switch (event, resource) {
        case (.added(let object), .jobs), (.modified(let object), .jobs):
            if let job = JobSnapshot(object) { pass(job, of: object) }
        case (.deleted(let object), .jobs):
            if let job = JobSnapshot(object) { passDeleted(job, of: object) }
        case (.added(let object), .pods), (.modified(let object), .pods):
            if let pod = PodSnapshot(object) { pass(pod, of: object) }
        case (.deleted(let object), .pods):
            if let pod = PodSnapshot(object) { passDeleted(pod) }
        default: break
        }
    }
}
