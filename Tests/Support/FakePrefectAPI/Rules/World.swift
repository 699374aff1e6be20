internal import FoundationEssentials
internal import OrderedCollections
internal import PrefectJSON

/// The whole state of the fake: the objects of a Prefect server, without sockets and faults.
struct World: Sendable {
    var configuration = FakeAPIConfiguration()
    var pools: OrderedDictionary<String, FakeWorkPool> = [:]
    var queues: OrderedDictionary<String, FakeWorkQueue> = [:]
    var flows: OrderedDictionary<String, FakeFlow> = [:]
    var deployments: OrderedDictionary<String, FakeDeployment> = [:]
    var runs: OrderedDictionary<String, FakeFlowRun> = [:]
    var blocks: [FakeBlock] = []
    var variables: [String: FakeVariable] = [:]
    var logs: [JSONValue] = []
    var events: [JSONValue] = []
    /// The CSRF token of each client, and the time at which it expires.
    var tokens: [String: (token: String, expires: WireTime)] = [:]
    // Ids of different servers never coincide, because a container or a ledger may outlive its test.
    private let idPrefix = String(UUID().uuidString.lowercased().prefix(24))
    private var serial = 0

    var now: WireTime { WireTime(configuration.now()) }

    /// A new id. Ids increase, as those of the server's states do, so that sorting by id is sorting by age.
    mutating func newID() -> String {
        serial += 1
        let digits = String(serial, radix: 16)
        return idPrefix + String(repeating: "0", count: 12 - digits.utf8.count) + digits
    }

    mutating func number() -> Int {
        serial += 1
        return serial
    }
}

// MARK: Pools and queues

extension World {
    func pool(named name: String) throws(Refusal) -> FakeWorkPool {
        guard let pool = pools[name] else { throw .notFound("There is no work pool \"\(name)\".") }
        return pool
    }

    func queue(_ name: String, in pool: FakeWorkPool) -> FakeWorkQueue? {
        queues.values.first { $0.poolID == pool.id && $0.name == name }
    }

    func queues(of pool: FakeWorkPool) -> [FakeWorkQueue] {
        queues.values.filter { $0.poolID == pool.id }.sorted { $0.priority < $1.priority }
    }

    func pool(withID id: String) -> FakeWorkPool? { pools.values.first { $0.id == id } }

    mutating func createPool(
        name: String, type: String, template: JSONValue = [:], description: String? = nil, isPaused: Bool = false,
        concurrencyLimit: Int? = nil
    ) -> FakeWorkPool {
        let now = now
        let queueID = newID()
        let pool = FakeWorkPool(
            id: newID(), name: name, type: type, defaultQueueID: queueID, description: description,
            baseJobTemplate: template, isPaused: isPaused, concurrencyLimit: concurrencyLimit, created: now,
            updated: now)
        pools[name] = pool
        queues[queueID] = FakeWorkQueue(
            id: queueID, name: "default", poolID: pool.id, priority: 1, description: "The queue for everything else.",
            created: now)
        return pool
    }

    mutating func createQueue(_ name: String, in pool: FakeWorkPool, priority: Int? = nil, description: String = "")
        -> FakeWorkQueue
    {
        let last = queues(of: pool).last?.priority ?? 0
        let queue = FakeWorkQueue(
            id: newID(), name: name, poolID: pool.id, priority: priority ?? last + 1, description: description,
            created: now)
        queues[queue.id] = queue
        return queue
    }

    mutating func removePool(named name: String) -> Bool {
        guard let pool = pools.removeValue(forKey: name) else { return false }
        let gone = Set(queues(of: pool).map(\.id))
        queues.removeAll { gone.contains($0.key) }
        for id in Array(runs.keys) where runs[id]?.workQueueID.map(gone.contains) == true {
            runs[id]?.workQueueID = nil
        }
        for id in Array(deployments.keys) where deployments[id]?.workQueueID.map(gone.contains) == true {
            deployments[id]?.workQueueID = nil
        }
        return true
    }

    /// The number of runs that hold a slot of a limit.
    func activeSlots(inQueues ids: Set<String>) -> Int {
        runs.values.count { run in
            (run.stateType == .running || run.stateType == .pending) && run.workQueueID.map(ids.contains) == true
        }
    }

    func json(of pool: FakeWorkPool) -> String {
        let slots = pool.concurrencyLimit == nil ? 0 : activeSlots(inQueues: Set(queues(of: pool).map(\.id)))
        return pool.json(activeSlots: slots)
    }

    func json(of queue: FakeWorkQueue, pool: String) -> String {
        queue.json(
            pool: pool, activeSlots: queue.concurrencyLimit == nil ? 0 : activeSlots(inQueues: [queue.id]))
    }
}

// MARK: Flows, deployments and runs

extension World {
    mutating func createFlow(named name: String, tags: [String] = []) -> FakeFlow {
        if let flow = flows.values.first(where: { $0.name == name }) { return flow }
        let flow = FakeFlow(id: newID(), name: name, tags: tags, created: now)
        flows[flow.id] = flow
        return flow
    }

    /// Deletes a deployment and its scheduled runs. The other runs stay and still name the deployment. Among them are
    /// runs that have run before, and runs that wait for a slot.
    mutating func removeDeployment(_ id: String) -> Bool {
        guard deployments.removeValue(forKey: id) != nil else { return false }
        runs.removeAll { _, run in
            run.deploymentID == id && run.stateType == .scheduled && run.runCount == 0
                && run.stateName != "AwaitingConcurrencySlot"
        }
        return true
    }

    func run(_ id: String) throws(Refusal) -> FakeFlowRun {
        guard let run = runs[id] else { throw .notFound("There is no such flow run.") }
        return run
    }

    mutating func createRun(
        of deployment: FakeDeployment, state: FakeState? = nil, name: String? = nil, jobVariables: JSONValue = [:],
        parameters: JSONValue = [:], labels: JSONValue = [:], tags: [String] = [], idempotencyKey: String? = nil
    ) -> FakeFlowRun {
        let now = now
        let ids: JSONValue = [
            "prefect.flow.id": .string(deployment.flowID), "prefect.deployment.id": .string(deployment.id),
        ]
        let allLabels = (ids.objectValue ?? [:]).merging(labels.objectValue ?? [:]) { $1 }
        var merged = deployment.parameters.objectValue ?? [:]
        for (key, value) in parameters.objectValue ?? [:] { merged[key] = value }
        let allTags = deployment.tags + tags.filter { !deployment.tags.contains($0) }
        var run = FakeFlowRun(
            id: newID(), name: name ?? "fake-run-\(number())", flowID: deployment.flowID, deploymentID: deployment.id,
            workQueueID: deployment.workQueueID, created: now, jobVariables: jobVariables, parameters: .object(merged),
            labels: .object(allLabels), tags: allTags)
        run.namedQueue = deployment.namedQueue
        run.idempotencyKey = idempotencyKey
        run.enter(state ?? FakeState(.scheduled, at: now), id: newID())
        runs[run.id] = run
        return run
    }

    func place(of run: FakeFlowRun) -> FakeFlowRun.Place {
        guard let queue = run.workQueueID.flatMap({ queues[$0] }), let pool = pool(withID: queue.poolID) else {
            return FakeFlowRun.Place()
        }
        return FakeFlowRun.Place(queue: queue.name, poolID: pool.id, pool: pool.name)
    }

    func json(of run: FakeFlowRun) -> String { run.json(place: place(of: run), now: now) }

    func json(of deployment: FakeDeployment) -> String {
        let queue = deployment.workQueueID.flatMap { queues[$0] }
        return deployment.json(queue: queue?.name, pool: queue.flatMap { pool(withID: $0.poolID) }?.name)
    }

    /// Applies the rules to a proposed state, and enters the state that they allow.
    mutating func propose(_ state: FakeState, for runID: String, force: Bool) -> Verdict? {
        guard var run = runs[runID] else { return nil }
        var rules = Orchestration(
            run: run, deployment: run.deploymentID.flatMap { deployments[$0] }, leaseID: newID(), now: now)
        rules.slotWaitSeconds = configuration.slotWaitSeconds
        let verdict = rules.judge(state, force: force)
        if let changed = rules.changedDeployment { deployments[changed.id] = changed }
        if let state = verdict.state {
            run.enter(state, id: newID())
            runs[runID] = run
        }
        return verdict
    }

    /// The runs that a poll returns: due runs in unpaused queues, by priority and time, within the limits.
    mutating func poll(
        pool: FakeWorkPool, queues chosen: [FakeWorkQueue], before: WireTime?, after: WireTime?, limit: Int
    ) -> [FakeFlowRun] {
        let now = now
        for queue in chosen { queues[queue.id]?.lastPolled = now }
        let polled = Set(chosen.map(\.id))
        for id in Array(deployments.keys) where deployments[id]?.workQueueID.map(polled.contains) == true {
            deployments[id]?.isReady = true
        }
        guard !pool.isPaused else { return [] }
        let ranks = Dictionary(uniqueKeysWithValues: chosen.filter { !$0.isPaused }.map { ($0.id, $0.priority) })
        var waiting: [(rank: Int, due: Int64, order: Int, id: String, queue: String)] = []
        for run in runs.values where run.stateType == .scheduled {
            guard let queue = run.workQueueID, let rank = ranks[queue], let due = run.nextScheduledStart,
                before.map({ due <= $0 }) ?? true, after.map({ due >= $0 }) ?? true,
                run.empiricalPolicy["retry_type"]?.stringValue != "in_process"
            else { continue }
            // Equal times keep the order of creation.
            waiting.append((rank, due.microseconds, waiting.count, run.id, queue))
        }
        waiting.sort { ($0.rank, $0.due, $0.order) < ($1.rank, $1.due, $1.order) }
        var free: [String: Int] = [:]
        for queue in chosen {
            if let limit = queue.concurrencyLimit { free[queue.id] = max(0, limit - activeSlots(inQueues: [queue.id])) }
        }
        var available = limit
        if let poolLimit = pool.concurrencyLimit {
            let all = Set(queues(of: pool).map(\.id))
            available = min(available, max(0, poolLimit - activeSlots(inQueues: all)))
        }
        var result: [FakeFlowRun] = []
        for candidate in waiting where result.count < available {
            if let slots = free[candidate.queue] {
                if slots == 0 { continue }
                free[candidate.queue] = slots - 1
            }
            if let run = runs[candidate.id] { result.append(run) }
        }
        return result
    }
}
