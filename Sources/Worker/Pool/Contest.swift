internal import Logging
internal import PrefectAPI
internal import Synchronization

/// Whether other workers serve the same pool, so that a claim may be theirs as well.
///
/// A server on SQLite may accept the claims of two workers for one run when they come within the same moment. Workers
/// that know of each other settle it by something that the API takes only once; one that is alone saves that request, and
/// looks whether it is, once for all claims that are accepted at a time.
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
    private let looks = SharedLook()

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

    /// Whether a claim that has just been accepted is to be settled. Whoever could have claimed the same run has polled
    /// before that, and sent a heartbeat before it polled: so it is enough to look who is there after the claim.
    func mayConcernAcceptedClaim() async -> Bool {
        if isOn { return true }
        return await looks.run { await self.look() }
    }

    /// Asks the API who else is there; whether somebody may be.
    @discardableResult
    func look() async -> Bool {
        do {
            let others = try await readOthers()
            state.withLock { $0.othersAreOnline = !others.isEmpty }
            return !others.isEmpty
        } catch {
            // Where workers cannot be read, others may be there.
            logger.debug("The pool's other workers cannot be read: \(error)")
            return true
        }
    }
}

extension Contest {
    /// A request that a busy server refuses is repeated once: without its answer every claim costs requests to settle it.
    private func readOthers() async throws -> [String] {
        let online: [String]
        do {
            online = try await api.readOnlineWorkers(ofPool: pool)
        } catch let error as APIError where error.isTransient && error.status != nil {
            try await api.pause(.milliseconds(Int.random(in: 100...300)))
            online = try await api.readOnlineWorkers(ofPool: pool)
        }
        return online.filter { $0 != workerName }
    }
}

/// Shares a look among all who ask before it begins: nobody is given what was seen before it asked.
private actor SharedLook {
    private enum Turn {
        case look
        case seen(Bool)
    }

    private var isLooking = false
    private var sharing: [CheckedContinuation<Turn, Never>] = []
    private var waiting: [CheckedContinuation<Turn, Never>] = []

    func run(_ look: @Sendable () async -> Bool) async -> Bool {
        if isLooking, case .seen(let result) = await withCheckedContinuation({ waiting.append($0) }) { return result }
        isLooking = true
        let result = await look()
        for other in sharing { other.resume(returning: .seen(result)) }
        // The first of those who came meanwhile looks for them.
        let next = waiting.first
        sharing = Array(waiting.dropFirst())
        waiting = []
        isLooking = next != nil
        next?.resume(returning: .look)
        return result
    }
}
