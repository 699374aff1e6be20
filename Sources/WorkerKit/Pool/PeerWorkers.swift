internal import Logging
internal import PrefectClient
internal import PrefectConcurrency
internal import Synchronization

/// Whether other workers serve the same pool, so that the API may accept their claims too.
///
/// A server on SQLite may accept the claims of two workers for one run when both arrive within the same moment. Workers
/// that know of each other settle this with a record that the API accepts only once. A single worker saves that
/// request. It checks whether it is alone, once for all claims that the API accepts at a time.
final class PeerWorkers: Sendable {
    private struct State {
        var othersAreOnline = false
        var lostAt: ContinuousClock.Instant?
    }

    private let state = Mutex(State())
    private let pool: String
    private let workerName: String
    private let api: APIClient
    private let logger: Logger
    private let looks = SingleFlight<Bool>()

    /// How long a claim that went to another worker counts as evidence that the other worker is still online.
    private static let memory: Duration = .seconds(600)

    init(pool: String, workerName: String, api: APIClient, logger: Logger) {
        self.pool = pool
        self.workerName = workerName
        self.api = api
        self.logger = logger
    }

    /// Whether the worker must settle its claims.
    var isOn: Bool {
        state.withLock { state in
            state.othersAreOnline || state.lostAt.map { ContinuousClock.now - $0 < Self.memory } ?? false
        }
    }

    /// Records that another worker had claimed a run that this one requested.
    func noteLostClaim() { state.withLock { $0.lostAt = .now } }

    /// Whether the worker must settle a claim that the API has just accepted. A worker polls before it claims, and
    /// sends a heartbeat before it polls. So a look at the online workers after the claim finds every worker that could
    /// have claimed the same run.
    func mayConcernAcceptedClaim() async -> Bool {
        if isOn { return true }
        // A caller that is cancelled has no answer, and without one other workers may be online.
        return (try? await looks.runAnew { await self.look() }) ?? true
    }

    /// Asks the API for the other online workers. Returns whether there may be one.
    @discardableResult
    func look() async -> Bool {
        do {
            let others = try await readOthers()
            state.withLock { $0.othersAreOnline = !others.isEmpty }
            return !others.isEmpty
        } catch {
            // Without an answer, other workers may be online.
            logger.debug("The pool's other workers cannot be read: \(error)")
            return true
        }
    }
}

extension PeerWorkers {
    /// Reads the other online workers. A request that a busy server refuses is repeated once, because without its
    /// answer every claim costs requests to settle it.
    private func readOthers() async throws -> [String] {
        let online: [String]
        do {
            online = try await onlineWorkers()
        } catch let error as APIError where error.isTransient && error.status != nil {
            try await api.pause(.milliseconds(Int.random(in: 100...300)))
            online = try await onlineWorkers()
        }
        return online.filter { $0 != workerName }
    }

    /// Reads the names of the pool's online workers, once: `POST /work_pools/{pool}/workers/filter`.
    func onlineWorkers() async throws -> [String] {
        try await api.readWorkers(forWorkPool: pool, limit: 200, effort: .once).filter { $0.status == .online }.map(
            \.name)
    }
}
