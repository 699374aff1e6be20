internal import JSON
internal import JobTemplates
internal import Worker

/// Observes the jobs of other workers' runs: tells what happens to their pods, and that a run has crashed where the cluster
/// says so and nobody else has.
struct RunObserver: Sendable {
    let cluster: Cluster
    let backend: KubernetesBackend
    let runs: any OtherRuns

    /// How many jobs that had ended before they were met are looked at at a time.
    static let concurrency = 5
    /// How often a run that has crashed is looked at, while its own worker may yet say so.
    static let interval = Duration.seconds(5)

    /// Observes what is found, until the task is cancelled.
    func run() async {
        let (due, hand) = AsyncStream.makeStream(of: FoundJob.self)
        await withDiscardingTaskGroup { group in
            group.addTask { await sort(into: hand) }
            for await found in due {
                group.addTask {
                    await observe(found)
                    cluster.watch.feeds.settle(found)
                }
            }
        }
    }

    /// Passes on the jobs that are worth following. Those that had ended before mostly are of runs that have ended too.
    private func sort(into hand: AsyncStream<FoundJob>.Continuation) async {
        await withTaskGroup(of: Void.self) { group in
            var looking = 0
            for await found in cluster.watch.feeds.found {
                guard found.job?.ending != nil else {
                    hand.yield(found)
                    continue
                }
                if looking == Self.concurrency {
                    await group.next()
                    looking -= 1
                }
                looking += 1
                group.addTask {
                    if (try? await runs.standing(of: found.flowRunID))?.isInFlight == true {
                        hand.yield(found)
                    } else {
                        cluster.watch.feeds.settle(found)
                    }
                }
            }
        }
        hand.finish()
    }

    private func observe(_ found: FoundJob) async {
        let reporter = runs.reporter(
            ofFlowRun: found.flowRunID, name: found.labels[Labels.flowRunName] ?? found.flowRunID,
            related: Labels.relatedResources(found.labels))
        let follower = JobFollower(
            place: found.place, reporter: reporter, cluster: cluster, backend: backend, attention: .observing)
        do {
            let end = try await follower.run((found.feed, isNew: false))
            guard end.status.code != 0, try await isLeftAlone(found, since: end.time) else { return }
            try await runs.reportCrash(ofFlowRun: found.flowRunID, end.status, reporter: reporter)
        } catch is CancellationError {
            // The worker leaves, or has taken the run itself.
        } catch {
            backend.notice("Flow run '\(found.flowRunID)' of another worker could not be reported as crashed: \(error)")
        }
    }

    /// Whether the run still is as its job has left it after its own worker has had the time to say so, and has no other job.
    private func isLeftAlone(_ found: FoundJob, since ended: Timestamp) async throws -> Bool {
        let deadline = ContinuousClock.now + backend.courtesy
        while true {
            guard !runs.isOwn(found.flowRunID), let standing = try await runs.standing(of: found.flowRunID),
                standing.isInFlight,
                standing.infrastructure == nil || standing.infrastructure == found.place.identifier.rawValue,
                standing.claimed.map({ $0 <= ended }) ?? true, try await !hasOtherJob(found)
            else { return false }
            if ContinuousClock.now >= deadline { return true }
            try await Task.sleep(until: min(deadline, .now + Self.interval), clock: .continuous)
        }
    }

    /// Whether another job of the run goes on, or has ended well. Where that cannot be known, one does.
    private func hasOtherJob(_ found: FoundJob) async throws -> Bool {
        let selection = Selection(
            namespace: found.place.namespace, labels: "\(Labels.flowRunID)=\(found.flowRunID)")
        while true {
            do {
                var hasOther = false
                _ = try await cluster.client.list(.jobs, selection) { object in
                    guard let job = JobSnapshot(object), job.uid != found.place.uid else { return }
                    if job.ending == nil || job.ending == .complete { hasOther = true }
                }
                return hasOther
            } catch let error as KubernetesError {
                cluster.availability.note(error)
                guard error.isTransient else { return true }
                try await Task.sleep(for: max(Self.interval, error.retryAfter ?? .zero))
            }
        }
    }
}

extension Labels {
    static let flowRunName = "prefect.io/flow-run-name"

    /// What the events of an object are related to, as its labels tell it.
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
