internal import BackendKit
internal import Logging
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST

/// Completes what other workers no longer do for their containers on this Engine. It reports the crashes of their runs,
/// and removes containers that should have been removed.
struct RunObserver: Sendable {
    let backend: DockerBackend
    let runs: any ForeignRuns

    /// Observes the containers of the served pools until the task is cancelled.
    func run() async {
        let ended = backend.watch.source.ended
        await withDiscardingTaskGroup { group in
            group.addTask {
                await runs.forEachPool(ofType: DockerBackend.traits.type) { pool in
                    if let id = pool.id { ended.serve(poolID: id) }
                }
            }
            group.addTask { await listOnOccasion(ended) }
            group.addTask { await removeAtIntervals(ended) }
            for await container in ended.stream { group.addTask { await observe(container) } }
        }
    }

    // MARK: Crashes

    /// Finds the containers that ended before this worker received events, or before it served their pool.
    private func listOnOccasion(_ ended: EndedContainers) async {
        var last = EndedContainers.Occasion()
        while !Task.isCancelled {
            await ended.occasion.wait { [last] in $0 != last && $0.connections > 0 }
            last = ended.occasion.value
            guard let listed = try? await list(poolIDs: last.pools) else { continue }
            // An Engine without events is connected again every minute, and may keep thousands of ended containers.
            let new = ended.new(among: listed)
            guard !new.isEmpty, let inFlight = try? await runs.inFlight(among: new.map(\.flowRunID)) else { continue }
            for container in new where inFlight.contains(container.flowRunID) { ended.pass(container) }
        }
    }

    /// The containers of other workers in some pools that have ended. Waits while the Engine is unavailable.
    private func list(poolIDs: Set<String>, _ others: String...) async throws -> [EndedContainer] {
        var found: [EndedContainer] = []
        for id in poolIDs {
            let listed = try await backend.persistently {
                try await backend.engine.list(
                    labels: ["\(EndedContainer.poolLabel)=\(id)"] + others, statuses: ["exited", "dead"])
            }
            found += listed.compactMap {
                EndedContainer($0.id, $0.labels, unlessOwnedBy: backend.owner)
            }
        }
        return found
    }

    private func observe(_ container: EndedContainer) async {
        do {
            let facts = try await backend.persistently {
                try await backend.watch.source.describe([container.id])[container.id]
            }
            let end = container.history.end(facts)
            // A container that was started again has not ended.
            guard facts?.hasEnded != false, end.exitCode != 0 else { return }
            let time = facts?.finished ?? .now
            guard try await isUnchanged(container, since: time, for: backend.options.orphanGrace) else { return }
            let isReporter = try await runs.isReporter(ofFlowRun: container.flowRunID, mark: container.id) {
                try await isUnchanged(container, since: time, for: backend.options.orphanGrace * 4)
            }
            guard isReporter else { return }
            let reporter = runs.reporter(
                ofFlowRun: container.flowRunID, name: container.flowRunName, related: [])
            try await runs.reportCrash(
                ofFlowRun: container.flowRunID, await backend.exitStatus(of: container.id, end, facts),
                reporter: reporter)
            if container.isToBeRemoved { try? await backend.engine.remove(container.id, force: false) }
        } catch is CancellationError {
            // The worker shuts down.
        } catch {
            backend.options.logger.warning(
                "Flow run '\(container.flowRunID)' of another worker could not be reported as crashed: \(error)",
                metadata: ["flow_run_id": "\(container.flowRunID)"])
        }
    }

    private func isUnchanged(
        _ container: EndedContainer, since ended: Timestamp, for patience: Duration
    ) async throws -> Bool {
        // Another worker may use another address of the same Engine.
        try await runs.isUnchanged(
            container.flowRunID, since: ended, for: patience, isSame: { $0.hasSuffix(":\(container.id)") },
            hasOther: { try await hasOtherContainer(container) })
    }

    /// Whether another container of the run is active, or has ended well.
    private func hasOtherContainer(_ container: EndedContainer) async throws -> Bool {
        let others = try await backend.persistently {
            try await backend.engine.list(labels: ["\(ContainerSource.label)=\(container.flowRunID)"])
        }
        for other in others where other.id != container.id {
            guard let facts = try? await backend.engine.inspect(other.id) else { return true }
            if !facts.hasEnded || facts.exitCode == 0 { return true }
        }
        return false
    }

    // MARK: Removal

    /// Removes containers that their own workers should have removed long ago, and whose runs have ended.
    private func removeAtIntervals(_ ended: EndedContainers) async {
        var seen: Set<String> = []
        await OrphanSweep.run {
            let removal = "\(ContainerRequest.Marks.removalLabel)=true"
            guard let found = try? await list(poolIDs: ended.occasion.value.pools, removal) else { return }
            // Its own worker has had the time since the last search.
            let old = found.filter { seen.contains($0.id) }
            seen = Set(found.map(\.id))
            guard !old.isEmpty, let inFlight = try? await runs.inFlight(among: old.map(\.flowRunID)) else { return }
            for container in old where !inFlight.contains(container.flowRunID) {
                try? await backend.engine.remove(container.id, force: false)
            }
        }
    }
}
