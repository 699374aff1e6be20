internal import Logging
internal import PrefectAPI
internal import Synchronization

/// Whether other workers serve the same pool, so that a claim may be theirs as well.
///
/// A server on SQLite may accept the claims of two workers for one run when they come within the same moment. Workers
/// that know of each other settle it by something that the API takes only once; a worker that is alone saves the request.
final class Contest: Sendable {
    private struct State {
        var othersAreOnline = false
        var lostAt: ContinuousClock.Instant?
    }

    private let state = Mutex(State())
    private let pool: String
    private let workerName: String
    private let api: APIClient
    private let logger: Logger

    /// How long a claim that went to another worker is taken for a sign that it is still there.
    private static let memory: Duration = .seconds(600)

    init(pool: String, workerName: String, api: APIClient, logger: Logger) {
        self.pool = pool
        self.workerName = workerName
        self.api = api
        self.logger = logger
    }

    /// Whether claims are to be settled.
    var isOn: Bool {
        state.withLock { state in
            state.othersAreOnline || state.lostAt.map { ContinuousClock.now - $0 < Self.memory } ?? false
        }
    }

    /// Notes that another worker had claimed a run that this one wanted.
    func noteLostClaim() { state.withLock { $0.lostAt = .now } }

    /// Asks the API who else is there.
    func look() async {
        do {
            let others = try await api.readOnlineWorkers(ofPool: pool).filter { $0 != workerName }
            state.withLock { $0.othersAreOnline = !others.isEmpty }
        } catch {
            // Where workers cannot be read, lost claims still tell.
            logger.debug("The pool's other workers cannot be read: \(error)")
        }
    }

    /// Asks again, before several claims at once, which is when two workers meet, unless others are known to be there.
    func lookUnlessOn() async {
        if !isOn { await look() }
    }
}
