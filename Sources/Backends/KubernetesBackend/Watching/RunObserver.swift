internal import BackendKit
internal import JobTemplates
internal import Logging
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST

/// Observes the jobs of other workers' runs and reports the events of their pods. It also reports that a run has
/// crashed, where the cluster shows that and no other worker has reported it. For runs that may only be orphaned, it
/// reports the crash alone.
struct RunObserver: Sendable {
    let cluster: Cluster
    let backend: KubernetesBackend
    let runs: any ForeignRuns

    /// The pause before another request to a cluster that is unavailable.
    static let pause = Duration.seconds(5)

    /// Observes the jobs that are found, until the task is cancelled.
    func run() async {
        let (due, add) = AsyncStream.makeStream(of: FoundJob.self)
        await withDiscardingTaskGroup { group in
            group.addTask { await sort(into: add) }
            for await found in due {
                group.addTask {
                    await observe(found)
                    cluster.watch.foreign.settle(found.place)
                }
            }
        }
    }

    /// Passes on the jobs that are worth following. The runs of jobs that had ended before have mostly ended too.
    private func sort(into queue: AsyncStream<FoundJob>.Continuation) async {
        let (ended, foreign) = (Gathering<FoundJob>(), cluster.watch.foreign)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                while let jobs = await ended.next() {
                    let inFlight = (try? await runs.inFlight(among: jobs.map(\.flowRunID))) ?? []
                    for job in jobs {
                        if inFlight.contains(job.flowRunID) { queue.yield(job) } else { foreign.settle(job.place) }
                    }
                }
            }
            for await found in foreign.found {
                if found.hasEnded { ended.add(found) } else { queue.yield(found) }
            }
            group.cancelAll()
        }
        queue.finish()
    }

    private func observe(_ found: FoundJob) async {
        let reporter = runs.reporter(
            ofFlowRun: found.flowRunID, name: found.labels[Labels.flowRunName] ?? found.flowRunID,
            related: Labels.relatedResources(found.labels))
        let follower = JobFollower(
            place: found.place, reporter: reporter, cluster: cluster, backend: backend,
            attention: found.isObserved ? .observing : .endAlone)
        do {
            // The run's own worker may still report its end, so the observer waits first.
            if !found.isObserved {
                guard try await isUnchanged(found, since: found.job?.failed ?? .now, for: backend.orphanGrace) else {
                    return
                }
            }
            let end = try await follower.run(found.notices)
            let patience = found.isObserved ? backend.orphanGrace : .zero
            guard end.status.code != 0, try await isUnchanged(found, since: end.time, for: patience) else { return }
            try await report(end, of: found, reporter)
        } catch is CancellationError {
            // The worker shuts down, or follows the job itself now.
        } catch {
            backend.log.logger.warning(
                "Flow run '\(found.flowRunID)' of another worker could not be reported as crashed: \(error)",
                metadata: ["flow_run_id": "\(found.flowRunID)"])
        }
    }

    /// Reports a crash, unless another worker does.
    private func report(_ end: JobFollower.End, of found: FoundJob, _ reporter: any JobReporter) async throws {
        if let mark = found.place.uid {
            let isReporter = try await runs.isReporter(ofFlowRun: found.flowRunID, mark: mark) {
                try await isUnchanged(found, since: end.time, for: backend.orphanGrace * 4)
            }
            guard isReporter else { return }
        }
        try await runs.reportCrash(ofFlowRun: found.flowRunID, end.status, reporter: reporter)
    }

    /// Whether the run has no other job and is unchanged since its job ended. Its own worker gets some time,
    /// `patience`, to report the end.
    private func isUnchanged(
        _ found: FoundJob, since ended: Timestamp, for patience: Duration
    ) async throws -> Bool {
        try await runs.isUnchanged(
            found.flowRunID, since: ended, for: patience, isSame: { $0 == found.place.identifier.rawValue },
            hasOther: { try await hasOtherJob(found) })
    }

    /// Whether another job of the run is active, or has ended well. If that cannot be determined, the result is
    /// `true`.
    private func hasOtherJob(_ found: FoundJob) async throws -> Bool {
        let selection = Selection(
            namespace: found.place.namespace, labels: "\(Labels.flowRunID)=\(found.flowRunID)")
        do {
            return try await retrying {
                var hasOther = false
                _ = try await cluster.client.list(.jobs, selection) { object in
                    guard let job = JobSnapshot(object), job.uid != found.place.uid else { return }
                    if job.ending == nil || job.ending == .complete { hasOther = true }
                }
                return hasOther
            } pause: { (error: KubernetesError, _) in
                cluster.availability.note(error)
                guard error.isTransient else { throw error }
                return max(Self.pause, error.retryAfter ?? .zero)
            }
        } catch is KubernetesError {
            return true
        }
    }
}

extension Labels {
    static let workPoolID = "prefect.io/work-pool-id"
    static let flowRunName = "prefect.io/flow-run-name"

    /// The related resources of an object's events, according to its labels.
    static func relatedResources(_ labels: [String: String]) -> [JSONValue] {
        var related: [JSONValue] = []
        for kind in ["flow-run", "deployment", "flow", "work-pool"] {
            guard let id = labels["prefect.io/\(kind)-id"] else { continue }
            related.append([
                "prefect.resource.id": .string("prefect.\(kind).\(id)"), "prefect.resource.role": .string(kind),
                "prefect.resource.name": .string(labels["prefect.io/\(kind)-name"] ?? ""),
            ])
        }
        if let worker = labels["prefect.io/worker-name"] {
            related.append([
                "prefect.resource.id": .string("prefect.worker.kubernetes.\(Slug.make(worker))"),
                "prefect.resource.role": "worker", "prefect.resource.name": .string(worker),
                "prefect.worker-type": "kubernetes",
            ])
        }
        return related
    }
}
