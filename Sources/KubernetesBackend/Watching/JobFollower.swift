internal import JSON
internal import PrefectAPI
internal import Synchronization
internal import Worker

/// What a follower cares for besides the end of its job.
struct FollowerAttention: Sendable, Hashable {
    /// Whose output the pods' is that is copied into the worker's own; `nil` where it is not.
    var output: OutputSource?
    /// After how long without news the job is asked for.
    var jobWatch: Duration?
    /// After how long it is explained why a pod has not begun.
    var podWatch: Duration?
    /// Whether the job may have been told of by others before: then what is old is not told again.
    var isLate = false
    /// Whether what happens to pods is reported.
    var reportsPods = true

    /// What a job asks for.
    init(_ job: Job<KubernetesConfiguration>) {
        let configuration = job.configuration
        if configuration.streamsOutput {
            // The log of a container does not tell its two streams apart.
            output = OutputSource(flowRunID: job.flowRunID, flowRunName: job.flowRunName, stream: .output)
        }
        jobWatch = configuration.jobWatchTimeout.map { .seconds($0) }
        podWatch = .seconds(configuration.podWatchTimeout)
    }

    private init() { isLate = true }

    /// Nothing besides, for the job of another worker.
    static let observing = FollowerAttention()

    /// How the job of another worker ended, and nothing of what happens to its pods.
    static let endAlone = {
        var attention = FollowerAttention()
        attention.reportsPods = false
        return attention
    }()
}

/// Follows the job of one run to its end, and tells on the way what happens to its pods.
struct JobFollower: Sendable {
    let place: JobPlace
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

    /// How often is asked where nobody watches, and while the pods of a deleted job go.
    static let askInterval = Duration.seconds(5)
    /// For how long the pods of a deleted job are waited for.
    static let drainLimit = Duration.seconds(60)
    /// For how long the rest of a pod's output is waited for, once the pod has ended.
    static let outputLimit = Duration.seconds(10)
    /// How often it is noted how far output has been copied.
    static let markInterval = Duration.seconds(1)

    /// Follows the job by its feed, which is new if nothing of the past is in it.
    func run(_ followed: (feed: JobFeed, isNew: Bool)) async throws -> End {
        let (feed, isNew) = followed
        let waiting = PendingReport()
        return try await withThrowingTaskGroup(of: ExitStatus?.self) { group in
            group.addTask {
                await waiting.run(reporter)
                return nil
            }
            let (begun, begin) = AsyncStream.makeStream(of: PodSnapshot.self)
            if let source = attention.output {
                let start = OutputPosition(since: feed.hasAllOutput ? nil : .now)
                group.addTask {
                    await copyOutput(of: begun, as: source, from: start)
                    return nil
                }
            }
            var progress = JobProgress(uid: place.uid)
            var teller = PodTeller(
                reporter: reporter, waiting: waiting, replicating: backend.settings.replicated,
                isLate: attention.isLate
            ) { begin.yield($0) }
            try await follow(feed, isNew: isNew, &progress, &teller)
            begin.finish()
            let output = try await lastOutput(progress)
            waiting.end()
            await awaitOutput(&group)
            group.cancelAll()
            return End(
                status: progress.exit(jobName: place.name, lastOutput: output), time: progress.failed ?? .now)
        }
    }

    /// Takes in what is told until the end is known.
    private func follow(
        _ feed: JobFeed, isNew: Bool, _ progress: inout JobProgress, _ teller: inout PodTeller
    ) async throws {
        var times = FollowingTimes(jobWatch: attention.jobWatch, podWatch: attention.podWatch)
        // What happened before anybody watched is asked for.
        if isNew { try await perform([.readJob, .readPods], &progress, &teller) }
        while !progress.isOver {
            let news = await feed.next(atMost: times.limit(progress))
            try Task.checkCancellation()
            if feed.isClosed { throw CancellationError() }
            var actions = news.flatMap { progress.handle($0) }
            if news.isEmpty { actions += times.elapsed(progress) } else { times.newsCame() }
            try await perform(actions, &progress, &teller)
            if times.isPodLate(progress) { await explainDelay(progress) }
            if progress.end == .gone, times.hasDrained() { progress.handlePodsUnreadable() }
        }
    }

    private func perform(
        _ actions: [JobProgress.Action], _ progress: inout JobProgress, _ teller: inout PodTeller
    ) async throws {
        var left = actions
        while !left.isEmpty {
            switch left.removeFirst() {
            case .tell(let pod): if attention.reportsPods { teller.tell(pod) }
            case .readJob: left += progress.handle(read: try await readJob())
            case .readPods:
                if let pods = try await readPods() {
                    left += progress.handle(pods: pods)
                } else {
                    progress.handlePodsUnreadable()
                }
            }
        }
    }

    /// The job as the cluster has it, asked for until it answers: only its own word is evidence.
    private func readJob() async throws -> JobSnapshot? {
        try await persistently("get jobs") {
            try await client.read(.jobs, namespace: namespace, name: place.name).flatMap { JobSnapshot($0) }
        }
    }

    /// The job's pods; `nil` when they may not be read.
    private func readPods() async throws -> [PodSnapshot]? {
        do {
            return try await persistently("list pods", givesUpWhenForbidden: true) {
                var pods: [PodSnapshot] = []
                let selection = Selection(namespace: namespace, labels: "job-name=\(place.name)")
                _ = try await client.list(.pods, selection) { if let pod = PodSnapshot($0) { pods.append(pod) } }
                return pods
            }
        } catch let error as KubernetesError {
            backend.sayOnce(
                "What becomes of pods is not known in full: "
                    + Refusal.explanation(error, verb: "list pods", namespace: namespace, access: client.access))
            return nil
        }
    }

    private func persistently<Result: Sendable>(
        _ verb: String, givesUpWhenForbidden: Bool = false, _ body: () async throws -> Result
    ) async throws -> Result {
        var failures = 0
        while true {
            do {
                return try await body()
            } catch let error as KubernetesError {
                cluster.availability.note(error)
                if givesUpWhenForbidden, !error.isTransient, error.kind != .unauthorized { throw error }
                failures += 1
                if !error.isTransient {
                    backend.sayOnce(
                        "The end of runs cannot be seen: "
                            + Refusal.explanation(error, verb: verb, namespace: namespace, access: client.access))
                }
                let pause = Duration.seconds(Double(min(1 << min(failures - 1, 5), 30)) * .random(in: 0.75...1.25))
                try await Task.sleep(for: max(pause, error.retryAfter ?? .zero))
            }
        }
    }

    /// Says why a pod has not begun for so long, and goes on waiting: that it takes long is no evidence of anything.
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
                    backend.sayOnce(
                        "Why pods do not begin cannot be told in full: "
                            + Refusal.explanation(
                                error, verb: "list events", namespace: namespace, access: client.access))
                } catch {}
            }
            diagnosis = Diagnosis(events: facts)
        }
        let standing =
            progress.isSuspended
            ? "the job is suspended" : pod.map { "the pod is \($0.phase.lowercased())" } ?? "it has no pod"
        reporter.log(
            .warning,
            "Kubernetes job '\(place.name)' has not begun after \(attention.podWatch?.components.seconds ?? 0) s: "
                + (diagnosis?.line
                    ?? "\(standing). Look at it with 'kubectl describe job \(place.name) -n \(namespace)'.")
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
            sayUnreadable(error)
            return nil
        }
    }

    private func sayUnreadable(_ error: KubernetesError) {
        guard error.kind == .forbidden else { return }
        backend.sayOnce(
            "The output of pods cannot be read: "
                + Refusal.explanation(error, verb: "get pods/log", namespace: namespace, access: client.access))
    }

    /// Copies the output of the pods, one after the other as they begin: from where an earlier process noted that it was, else
    /// from `start`.
    private func copyOutput(
        of pods: AsyncStream<PodSnapshot>, as source: OutputSource, from start: OutputPosition
    ) async {
        let marks = backend.marks
        for await pod in pods {
            let name = KubernetesBackend.mark(ofPod: pod.uid, flowRunID: source.flowRunID)
            var lines = LogLines(from: marks.position(of: name) ?? start)
            var failures = 0
            var lastMark = ContinuousClock.now
            defer { marks.set(lines.position, of: name) }
            while !Task.isCancelled {
                do {
                    let isComplete = try await client.followLog(
                        namespace: namespace, pod: pod.name,
                        container: pod.flowContainer?.name ?? PodSnapshot.flowContainerName, from: &lines
                    ) {
                        await backend.output.print($0, of: source)
                    } reached: { position in
                        guard ContinuousClock.now - lastMark >= Self.markInterval else { return }
                        lastMark = .now
                        marks.set(position, of: name)
                    }
                    if isComplete { break }
                } catch let error as KubernetesError {
                    sayUnreadable(error)
                    // A pod that is gone, or may not be read, has nothing more to say.
                    guard error.isTransient, failures < 60 else { break }
                    failures += 1
                    try? await Task.sleep(for: .seconds(1))
                } catch {
                    return
                }
            }
        }
    }

    /// Waits until what the pods have printed is copied, for so long at most.
    private func awaitOutput(_ group: inout ThrowingTaskGroup<ExitStatus?, any Error>) async {
        let limit = Self.outputLimit
        group.addTask {
            try? await Task.sleep(for: limit)
            return ExitStatus(code: nil)
        }
        // Both the output and the report of waiting end by themselves; the time limit returns something.
        var left = attention.output == nil ? 1 : 2
        while left > 0, let result = try? await group.next() {
            if result != nil { return }
            left -= 1
        }
    }
}

/// Tells the API, as often as it takes, that a run's pod waits.
final class PendingReport: Sendable {
    private struct State {
        var isDue = false
        var isOver = false
    }

    private let state = Mutex(State())
    private let changed = Wakeup()

    /// A pod waits.
    func request() {
        state.withLock { $0.isDue = true }
        changed.signal()
    }

    /// Nothing more is to be told.
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
