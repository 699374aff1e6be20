internal import PrefectClient
internal import PrefectConcurrency
internal import Synchronization

/// The numbers of flow runs that wait in the pools for a worker. They cost requests, so they are read only while
/// somebody asks for them, and at most every ten seconds.
final class WaitingRuns: Sendable {
    /// The runs of a queue, or of a whole pool with many queues, that wait.
    struct Count: Sendable, Hashable {
        let pool: String
        /// The queue; `nil` for all queues of the pool.
        let queue: String?
        /// Whether the runs are late, by the same time after which Prefect's server calls a run late.
        let isLate: Bool
        let runs: Int
    }

    private struct State {
        var counts: [Count] = []
        var time: ContinuousClock.Instant?
        var attempts = 0

        var age: Duration? { time.map { .now - $0 } }
    }

    /// For how long numbers are used again.
    private static let lifetime: Duration = .seconds(10)
    /// For how long a caller waits for newer numbers.
    private static let patience: Duration = .milliseconds(500)
    /// The age from which older numbers are not used, even if newer ones take longer than the patience.
    private static let oldAge: Duration = .seconds(60)
    /// The time limit for the requests about one pool.
    private static let readingTime: Duration = .seconds(20)

    private let api: APIClient
    private let wanted = AsyncSignal()
    private let state = ObservedValue(State())
    private let queues = Mutex<[String: KnownQueues]>([:])

    init(api: APIClient) { self.api = api }

    /// Returns the current numbers. Those that the API did not give in time are missing.
    func current() async -> [Count] {
        let attempts = state.value.attempts
        if !isFresh {
            wanted.signal()
            await state.wait(by: .now + Self.patience) { $0.attempts > attempts }
        }
        let state = state.value
        guard let age = state.age, age < Self.oldAge else { return [] }
        return state.counts
    }

    private var isFresh: Bool { state.value.age.map { $0 < Self.lifetime } ?? false }

    /// Reads the numbers of the pools when they are wanted, until the task is cancelled.
    func run(_ pools: ObservedValue<[any PoolService]>) async {
        while !Task.isCancelled {
            await wanted.wait()
            guard !Task.isCancelled, !isFresh else { continue }
            let counts = await withTaskGroup(of: [Count]?.self) { group in
                for pool in pools.value {
                    group.addTask {
                        await raceOf(
                            { try? await self.read(pool) },
                            {
                                try? await Task.sleep(for: Self.readingTime)
                                return nil
                            })
                    }
                }
                return await group.reduce(into: []) { $0 += $1 ?? [] }
            }
            state.update { state in
                state.counts = counts
                state.time = .now
                state.attempts += 1
            }
        }
    }

    // MARK: Requests

    /// The queues of a pool, as they were at a time.
    private struct KnownQueues {
        let queues: [WorkQueue]
        let time = ContinuousClock.now

        static let lifetime: Duration = .seconds(60)
    }

    /// From how many queues on only the sum of the pool is counted.
    private static let manyQueues = 20
    /// After how many seconds Prefect's server calls a run late, unless it is configured otherwise.
    private static let lateness = 15.0

    /// Counts the waiting runs of a pool. Each request returns one number, however many runs there are. A pool with one
    /// queue and no waiting run costs one request.
    private func read(_ pool: any PoolService) async throws -> [Count] {
        let served = pool.served
        let names = try await activeQueues(of: served)
        guard !names.isEmpty, pool.state.pool?.isPaused == false else { return [] }
        let due = Timestamp.now.adding(seconds: served.prefetch.inSeconds)
        let late = Timestamp.now.adding(seconds: -Self.lateness)
        let isSmall = names.count <= Self.manyQueues
        let all = try await count(names, of: served, dueBefore: due)
        var counts: [Count] = []
        for queues in isSmall ? names.map({ [$0] }) : [names] {
            let waiting = all == 0 || queues == names ? all : try await count(queues, of: served, dueBefore: due)
            let lateOnes = waiting == 0 ? 0 : try await count(queues, of: served, dueBefore: late)
            let queue = isSmall ? queues[0] : nil
            counts.append(Count(pool: served.name, queue: queue, isLate: true, runs: lateOnes))
            counts.append(Count(pool: served.name, queue: queue, isLate: false, runs: max(0, waiting - lateOnes)))
        }
        return counts
    }

    private func count(_ queues: [String], of served: ServedPool, dueBefore time: Timestamp) async throws -> Int {
        try await api.countFlowRuns(
            flowRuns: FlowRunFilter(
                state: FlowRunFilterState(type: .equals(.scheduled)), nextScheduledStartTime: .before(time)),
            workPools: WorkPoolFilter(name: .equals(served.name)), workQueues: WorkQueueFilter(name: .any(queues)),
            effort: .once)
    }

    /// The names of the queues that are polled and not paused. Runs in a paused queue do not wait for a worker.
    private func activeQueues(of served: ServedPool) async throws -> [String] {
        var known = queues.withLock { $0[served.name] }
        if known.map({ .now - $0.time >= KnownQueues.lifetime }) ?? true {
            known = KnownQueues(queues: try await api.readWorkQueues(inWorkPool: served.name, effort: .once))
            queues.withLock { [known] in $0[served.name] = known }
        }
        return (known?.queues ?? [])
            .filter { !$0.isPaused && (served.queues.isEmpty || served.queues.contains($0.name)) }.map(\.name).sorted()
    }
}
