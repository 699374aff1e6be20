internal import BackendKit
internal import FoundationEssentials
internal import Logging
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON

/// Takes over the runs that another worker of the pool had claimed and not started when it died.
///
/// A later process with that worker's state directory resumes such a run. If the directory is lost too, any other worker
/// does. It resumes the run by the same transitions, as if it had found the run in its own ledger.
///
/// The worker that claimed the run may be slow instead of dead. So this is only for backends that start a claimed run
/// once, whichever worker starts it.
struct OrphanedClaims: Sendable {
    let runs: PoolRuns
    let slots: SlotLimiter
    /// Whether the worker still takes runs of the pool.
    let taking: ShutdownSignal
    private let owner: ClaimOwner
    /// Identifies this process in the marks of runs.
    private let mark: String
    /// Claims of this worker's name from before belong to an earlier process.
    private let start = Timestamp.now

    init(runs: PoolRuns, slots: SlotLimiter, taking: ShutdownSignal) {
        self.runs = runs
        self.slots = slots
        self.taking = taking
        owner = ClaimOwner(workerName: runs.served.workerName)
        mark = ClaimIDs(by: owner).claim
    }

    private var services: WorkerServices { runs.services }
    private var api: APIClient { runs.services.api }
    private var registry: RunRegistry { runs.registry }

    /// Looks for such runs at intervals, until the worker takes no more runs.
    ///
    /// - Parameter take: Receives each run that the worker takes over. Returns `false` if it came too late.
    func run(_ take: @Sendable (RecoveredRuns.RecoveredRun) -> Bool) async {
        // A pod that replaces a dead one should not wait for a whole interval.
        var pause = services.takeoverInterval / 4
        while taking.isServing, !Task.isCancelled {
            await raceOf({ [pause] in try? await Task.sleep(for: pause) }, { await taking.wait(for: .draining) })
            guard taking.isServing, !Task.isCancelled else { return }
            pause = services.takeoverInterval * Double.random(in: 0.8...1.2)
            guard runs.state.isServable, runs.state.pool?.isPaused == false, services.claiming.state == .active else {
                continue
            }
            do {
                try await look(take)
            } catch {
                services.logger.debug(
                    "Runs that other workers of pool '\(runs.served.name)' have claimed cannot be read: \(error)")
            }
        }
    }

    private func look(_ take: (RecoveredRuns.RecoveredRun) -> Bool) async throws {
        let claims = try await unstartedRuns().compactMap { run in Claim(run).map { (run, $0) } }
        guard !claims.isEmpty else { return }
        let online = Set(try await runs.peers.onlineWorkers().map(ClaimOwner.init(workerName:)))
        for (run, claim) in claims where isGone(claim, online) {
            guard taking.isServing, let slot = slots.take() else { return }
            do {
                guard let entry = try await takeOver(run, online) else { continue }
                await services.ledger.record([entry], durably: true)
                let recovered = RecoveredRuns.RecoveredRun(entry: entry, active: registry.restore(entry), slot: slot)
                // The entry stays in the ledger, so the next process of this worker resumes the run.
                if !take(recovered) { registry.remove(recovered.active) }
            } catch {
                services.logger(ofRun: run.id, named: run.name).debug(
                    "Flow run '\(run.name)' cannot be taken over from another worker yet: \(error)")
            }
        }
    }

    /// The runs of the pool that have been claimed for a while, and of which no infrastructure is known.
    private func unstartedRuns() async throws -> [KnownRun] {
        let queues = runs.served.queues
        let names = [StateCreate.pending, .submitting].compactMap(\.name)
        let found = try await api.readFlowRuns(
            flowRuns: FlowRunFilter(
                state: FlowRunFilterState(type: .equals(.pending), name: .any(names))),
            workPools: WorkPoolFilter(name: .equals(runs.served.name)),
            workQueues: queues.isEmpty ? nil : WorkQueueFilter(name: .any(queues)), sort: .expectedStartTimeAscending,
            effort: .once)
        let latest = Timestamp.now.adding(seconds: -(services.takeoverInterval / 2).inSeconds)
        return found.map { KnownRun($0) }.filter { run in
            // A run in the ledger is recovered from there.
            !registry.contains(run.id) && !services.ledger.contains(run.id) && run.infrastructurePID?.isEmpty ?? true
                && run.state.map { $0.timestamp < latest } ?? false
        }
    }

    /// A claim that a worker has made at a time.
    private struct Claim {
        let ids: ClaimIDs
        let owner: ClaimOwner
        let time: Timestamp

        init?(_ transition: String, at time: Timestamp) {
            guard let ids = ClaimIDs(including: transition), let owner = ids.owner else { return nil }
            self.ids = ids
            self.owner = owner
            self.time = time
        }

        init?(_ run: KnownRun) {
            guard let state = run.state, let transition = state.transitionID else { return nil }
            self.init(transition, at: state.timestamp)
        }
    }

    /// Whether the process that made a claim no longer exists. Its worker is offline or was deleted, or it was an earlier
    /// process of this worker.
    private func isGone(_ claim: Claim, _ online: Set<ClaimOwner>) -> Bool {
        claim.owner == owner ? claim.time < start : !online.contains(claim.owner)
    }

    /// Takes over a run, unless another worker has it. Returns the entry from which this worker resumes the run.
    private func takeOver(_ run: KnownRun, _ online: Set<ClaimOwner>) async throws -> LedgerEntry? {
        let history = try await api.readFlowRunStates(flowRunID: run.uuid, effort: .once)
            .sorted { $0.timestamp < $1.timestamp }
        guard let scheduled = history.last(where: { $0.type == .scheduled }),
            let due = scheduled.stateDetails.scheduledTime,
            // Another state since the list was read means that a worker has the run.
            let last = history.last, let transition = last.transitionID, transition == run.transitionID,
            let made = Claim(transition, at: last.timestamp),
            // If the API accepted the claims of two workers, only the marked one counts.
            let settled = try await api.uniqueInput(
                flowRunID: run.uuid, key: RunMark.claim(dueAt: due), orElse: made.ids.claim, effort: .once),
            let claim = Claim(settled, at: made.time), isGone(claim, online),
            let deaths = try await deathsBeforeTakeover(of: claim, of: run, online)
        else { return nil }
        services.logger(ofRun: run.id, named: run.name).notice(
            """
            Worker '\(runs.served.workerName)' takes over flow run '\(run.name)': the worker that claimed it is no \
            longer online
            """)
        return LedgerEntry(
            flowRunID: run.id, flowRunName: run.name, api: api.configuration.shownURL, pool: runs.served.name,
            workerType: runs.backend.traits.type, stage: .submitted, transitions: claim.ids, due: due, isSettled: true,
            deaths: deaths, work: deaths > 0 ? .recovering : nil)
    }

    /// Writes the mark of a takeover. Returns how many workers have taken the run over and died since; `nil` when one of
    /// them still exists.
    private func deathsBeforeTakeover(
        of claim: Claim, of run: KnownRun, _ online: Set<ClaimOwner>
    ) async throws -> Int? {
        for round in 0...LedgerEntry.fatalDeaths {
            let taker = try await api.uniqueInput(
                flowRunID: run.uuid, key: RunMark.takeover(of: claim.ids, round: round), orElse: mark,
                effort: .once)
            if taker == mark { return round }
            // Another mark of this worker's name is that of an earlier process.
            guard let taker = taker.flatMap({ ClaimIDs(including: $0)?.owner }),
                taker == owner || !online.contains(taker)
            else { return nil }
        }
        return nil
    }
}
