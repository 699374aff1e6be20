internal import BackendKit
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST
internal import Synchronization

/// The tasks of a follower besides waiting for the end of its job.
struct FollowerAttention: Sendable, Hashable {
    /// The source of the pods' output that is copied into the worker's own output; `nil` where no output is copied.
    var output: OutputSource?
    /// The time without a notification after which the job is read.
    var jobWatch: Duration?
    /// The time after which the worker explains why a pod has not begun.
    var podWatch: Duration?
    /// Whether others may have reported on the job before. Then old events are not reported again.
    var isLate = false
    /// Whether the events of pods are reported.
    var reportsPods = true

    /// The tasks that a job requires.
    init(_ run: RunContext, _ configuration: KubernetesConfiguration) {
        if configuration.streamsOutput {
            // The log of a container does not distinguish its two streams.
            output = OutputSource(flowRunID: run.flowRunID, flowRunName: run.flowRunName, stream: .output)
        }
        jobWatch = configuration.jobWatchTimeout.map { .seconds($0) }
        podWatch = .seconds(configuration.podWatchTimeout)
    }

    private init() { isLate = true }

    /// No output and no time limits, for the job of another worker.
    static let observing = FollowerAttention()

    /// Only the end of another worker's job, without the events of its pods.
    static let endAlone = {
        var attention = FollowerAttention()
        attention.reportsPods = false
        return attention
    }()
}

/// Follows the job of one run to its end, and reports the events of its pods on the way.
struct JobFollower: Sendable {
    let place: JobReference
    let reporter: any JobReporter
    let cluster: Cluster
    let backend: KubernetesBackend
    let attention: FollowerAttention

    /// How the job ended, and when.
    struct End: Sendable, Hashable {
        let status: ExitStatus
        let time: Timestamp
    }

    private var client: KubernetesClient { cluster.client }
    private var namespace: String { place.namespace }

    /// The interval of requests for the pods of a deleted job.
    static let drainInterval = Duration.seconds(5)
    /// The longest wait for the pods of a deleted job.
    static let drainLimit = Duration.seconds(60)
    /// The longest wait for the rest of a pod's output, once the pod has ended.
    static let outputLimit = Duration.seconds(10)

    /// Follows a job of this worker.
    func run() async throws -> End { try await run(cluster.watch.notices(of: place)) }

    /// Follows the job by its notifications.
    func run(_ notices: ClusterWatch.Notices) async throws -> End {
        let following = Following(self)
        return try await withThrowingDiscardingTaskGroup { group in
            addTasks(to: &group, following, hasAllOutput: notices.hasAllOutput)
            try await follow(notices, following, &group)
            following.begin.finish()
            let output = try await lastOutput(following)
            following.waiting.end()
            await waitForOutput(following)
            group.cancelAll()
            return end(following.progress, output)
        }
    }

    /// Adds the tasks that report a pending pod, copy the output and keep the time limits.
    @inline(never)
    private func addTasks(
        to group: inout ThrowingDiscardingTaskGroup<any Error>, _ following: Following, hasAllOutput: Bool
    ) {
        let (waiting, shared) = (following.waiting, following.shared)
        group.addTask { [reporter] in
            await waiting.run(reporter)
            shared.update { $0.unfinished -= 1 }
        }
        let (watch, job) = (cluster.watch.watch(in: namespace), place.name)
        if let limit = attention.podWatch {
            group.addTask {
                await shared.wait(by: .now + limit) { $0.hasBegun }
                if !shared.value.hasBegun, !Task.isCancelled { watch.happened(.due, to: job) }
            }
        }
        if let limit = attention.jobWatch {
            group.addTask {
                var next = ContinuousClock.now + limit
                while (try? await Task.sleep(until: next)) != nil {
                    next = shared.value.lastNotice + limit
                    guard next <= .now else { continue }
                    await look(watch)
                    next = .now + limit
                }
            }
        }
        guard let source = attention.output else { return }
        let start = OutputPosition(since: hasAllOutput ? nil : .now)
        let begun = following.begun
        group.addTask {
            for await pod in begun { await copier(of: pod, source, start).run() }
            shared.update { $0.unfinished -= 1 }
        }
    }

    /// Reads the job, also while its list or watch is lost.
    private func look(_ watch: ClusterWatch.Watch) async {
        if watch.isConnected {
            watch.changed(place.name)
        } else if let job = try? await watch.source.describe([place.name])[place.name] {
            watch.reported(job, of: place.name)
        }
    }

    /// The copier of the output of a pod that has begun.
    @inline(never)
    private func copier(of pod: PodOutput, _ source: OutputSource, _ start: OutputPosition) -> LogCopier {
        LogCopier(
            of: pod, in: namespace, as: source, from: start, client: client, backend: backend,
            onUnreadable: reportUnreadable)
    }

    @inline(never)
    private func end(_ progress: JobProgress, _ output: String?) -> End {
        End(status: progress.exit(jobName: place.name, lastOutput: output), time: progress.failed ?? .now)
    }

    /// Handles notifications until the end is known.
    private func follow(
        _ notices: ClusterWatch.Notices, _ following: Following, _ group: inout ThrowingDiscardingTaskGroup<any Error>
    ) async throws {
        if !notices.isComplete { try await readPods(following) }
        for await notice in notices.stream {
            // A job of another worker may be this worker's own by now.
            if attention.isLate, !cluster.watch.foreign.isFollowed(place) { break }
            if following.handle(notice) { try await readPods(following) }
            if following.isLate(notice) { try await explainDelay(following) }
            if following.isOver { return }
            if following.beginsDrain() { group.addTask { await remind() } }
        }
        throw CancellationError()
    }

    /// Lets the follower look at the pods of a deleted job again and again.
    private func remind() async {
        let watch = cluster.watch.watch(in: namespace)
        while (try? await Task.sleep(for: Self.drainInterval)) != nil { watch.happened(.due, to: place.name) }
    }

    // The following functions are not inlined: their values are not part of the memory of the follower's task.

    @inline(never)
    private func readPods(_ following: Following) async throws {
        following.handle(pods: try await inChildTask { try await requestPods() })
    }

    @inline(never)
    private func explainDelay(_ following: Following) async throws {
        try await inChildTask { [progress = following.progress] in await explainDelay(progress) }
    }

    @inline(never)
    private func lastOutput(_ following: Following) async throws -> String? {
        try await inChildTask { [progress = following.progress] in try await lastOutput(progress) }
    }

    @inline(never)
    private func waitForOutput(_ following: Following) async {
        await following.shared.wait(by: .now + Self.outputLimit) { $0.unfinished == 0 }
    }

    /// The job's pods; `nil` when the worker may not read them.
    private func requestPods() async throws -> [PodSnapshot]? {
        do {
            return try await retrying {
                var pods: [PodSnapshot] = []
                let selection = Selection(namespace: namespace, labels: "job-name=\(place.name)")
                _ = try await client.list(.pods, selection) { if let pod = PodSnapshot($0) { pods.append(pod) } }
                return pods
            } pause: { (error: KubernetesError, failures) in
                cluster.availability.note(error)
                if !error.isTransient {
                    backend.log.warnOnce(
                        "The worker cannot fully observe pods: "
                            + Refusal.explanation(error, verb: "list pods", namespace: namespace, access: client.access)
                    )
                    // Renewed credentials may be valid.
                    if error.kind != .unauthorized { throw error }
                }
                let backoff = Backoff(from: .seconds(1), to: .seconds(30)).pause(afterFailures: failures)
                return max(backoff * .random(in: 0.75...1.25), error.retryAfter ?? .zero)
            }
        } catch is KubernetesError {
            return nil
        }
    }

    /// Reports why a pod has not begun for so long, and keeps waiting: a delay alone is no evidence of a failure.
    private func explainDelay(_ progress: JobProgress) async {
        let pod = progress.latestPod
        var diagnosis = pod.flatMap { Diagnosis($0) }
        if diagnosis == nil {
            var facts: [EventFact] = []
            for name in [place.name, pod?.name].compactMap({ $0 }) {
                let selection = Selection(namespace: namespace, fields: "involvedObject.name=\(name)")
                do {
                    _ = try await client.list(.events, selection) { if let fact = EventFact($0) { facts.append(fact) } }
                } catch let error as KubernetesError where error.kind == .forbidden {
                    backend.log.warnOnce(
                        "The worker cannot always report why a pod does not begin: "
                            + Refusal.explanation(
                                error, verb: "list events", namespace: namespace, access: client.access))
                } catch {}
            }
            diagnosis = Diagnosis(events: facts)
        }
        let state =
            progress.isSuspended
            ? "the job is suspended" : pod.map { "the pod is \($0.phase.lowercased())" } ?? "it has no pod"
        reporter.log(
            .warning,
            "Kubernetes job '\(place.name)' has not begun after \(attention.podWatch?.components.seconds ?? 0) s: "
                + (diagnosis?.line
                    ?? "\(state). Look at it with 'kubectl describe job \(place.name) -n \(namespace)'.")
                + " The worker keeps waiting.")
    }

    // MARK: Output

    /// The last lines of the pods that failed, for the run's log.
    private func lastOutput(_ progress: JobProgress) async throws -> String? {
        guard backend.settings.forwardsCrashedLogs, progress.end != .complete else { return nil }
        let output = CrashedOutput(client: client, namespace: namespace, lines: backend.settings.crashedLogLines)
        do {
            return try await output.text(of: progress.failedPods)
        } catch let error as KubernetesError {
            reportUnreadable(error)
            return nil
        }
    }

    @inline(never)
    private func reportUnreadable(_ error: KubernetesError) {
        guard error.kind == .forbidden else { return }
        backend.log.warnOnce(
            "The output of pods cannot be read: "
                + Refusal.explanation(error, verb: "get pods/log", namespace: namespace, access: client.access))
    }
}

/// Reports to the API that a run's pod is pending, and repeats the report until it is settled.
final class PendingReport: Sendable {
    private struct State {
        var isDue = false
        var isOver = false
    }

    private let state = Mutex(State())
    private let changed = AsyncSignal()

    /// Requests a report, because a pod is pending.
    func request() {
        state.withLock { $0.isDue = true }
        changed.signal()
    }

    /// Ends the reports.
    func end() {
        state.withLock { $0.isOver = true }
        changed.signal()
    }

    func run(_ reporter: any JobReporter) async {
        while !Task.isCancelled {
            let (isDue, isOver) = state.withLock { state in
                defer { state.isDue = false }
                return (state.isDue, state.isOver)
            }
            if isOver { return }
            if isDue {
                if await reporter.reportPending("Kubernetes pod is pending.") { return }
                try? await Task.sleep(for: .seconds(1))
                request()
            } else {
                await changed.wait()
            }
        }
    }
}
