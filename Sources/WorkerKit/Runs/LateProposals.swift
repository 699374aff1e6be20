internal import BackendKit
internal import FoundationEssentials
internal import Logging
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON

/// Restores run states that a proposal of this worker has overwritten because the API applied it late.
///
/// When a connection breaks, a proposal may remain at the server, where it waits for the database. The worker sends it
/// again, and the run continues to its end. Then the server accepts the first proposal over that end, and the run seems
/// to wait for a worker. So the worker checks runs with such a proposal for a while after they have ended. Before their
/// end, their own next state replaces the late one.
struct LateProposals: Sendable {
    /// How long the API may take to apply a proposal late. Prefect's server on SQLite waits 60 seconds for its
    /// database.
    static let lifetime: Duration = .seconds(75)
    /// The pause between two checks.
    private static let interval: Duration = .seconds(3)

    private struct Run: Sendable {
        let entry: LedgerEntry
        let deadline: ContinuousClock.Instant
    }

    let services: WorkerServices
    let state: PoolState
    private let runs = ObservedValue<[String: Run]>([:])
    private let added = AsyncSignal()

    init(services: WorkerServices, state: PoolState) {
        self.services = services
        self.state = state
    }

    /// Begins to check a run that has ended, unless none of its proposals can be applied late any more. Returns whether
    /// it does.
    func watch(_ entry: LedgerEntry) -> Bool {
        guard let uncertainSince = entry.uncertainSince else { return false }
        let age = Duration.pause(seconds: Timestamp.now.seconds(since: uncertainSince))
        guard age < Self.lifetime else { return false }
        runs.update { $0[entry.flowRunID] = Run(entry: entry, deadline: .now + Self.lifetime - age) }
        added.signal()
        return true
    }

    /// Checks the runs until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            await runs.wait { !$0.isEmpty }
            if Task.isCancelled { return }
            await look()
            await added.wait(atMost: Self.interval)
        }
    }

    /// Checks the runs once. Runs whose time is over are removed from the ledger; the others stay in it for the next
    /// process.
    func look() async {
        let (watched, now) = (runs.value, ContinuousClock.now)
        guard !watched.isEmpty else { return }
        var again: Set<String> = []
        do {
            for run in try await services.api.readFlowRuns(
                among: watched.keys.compactMap { UUID(uuidString: $0) }, inStates: [.pending], effort: .once
            ).map({ KnownRun($0) }) {
                guard let entry = watched[run.id]?.entry else { continue }
                if await !isDealtWith(run, entry) { again.insert(run.id) }
            }
        } catch {
            services.logger.debug("Late proposals could not be looked up, trying again: \(error)")
            return
        }
        for (id, run) in watched where run.deadline <= now && !again.contains(id) {
            runs.update { runs in
                if runs[id]?.entry.transitions == run.entry.transitions { runs[id] = nil }
            }
            await services.ledger.remove(id, of: run.entry.transitions)
        }
    }

    /// Restores a run's state if it was overwritten; `false` when the worker must try again. A failure for one run does
    /// not affect the others.
    private func isDealtWith(_ run: KnownRun, _ entry: LedgerEntry) async -> Bool {
        do {
            try await restore(run, entry)
            return true
        } catch let error as APIError where !error.isTransient {
            services.logger.error("The state of flow run '\(run.name)' could not be restored: \(error)")
            return true
        } catch {
            return false
        }
    }

    private func restore(_ run: KnownRun, _ entry: LedgerEntry) async throws {
        guard let transition = run.transitionID, entry.transitions.contains(transition) else { return }
        try await RunReporter(flowRun: run, services: services, workerID: state.workerID)
            .restoreState(overwrittenBy: entry.transitions.contains)
    }
}

extension ClaimIDs {
    /// The state that one of these transitions has overwritten late.
    func overwrittenState(in history: [PrefectClient.State]) -> PrefectClient.State? {
        history.overwritten(by: contains)
    }
}
