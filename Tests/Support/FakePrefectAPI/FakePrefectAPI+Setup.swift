public import FoundationEssentials
internal import OrderedCollections
public import PrefectJSON

extension FakePrefectAPI {
    /// Changes the server's behaviour, from the next request on.
    public func configure(_ body: (inout FakeAPIConfiguration) -> Void) {
        change { body(&$0.world.configuration) }
    }

    /// Creates a work pool with its queue `default`, and replaces an existing pool of that name.
    @discardableResult
    public func addPool(
        name: String, type: String = "process", template: JSONValue = FakePrefectAPI.processTemplate,
        isPaused: Bool = false, concurrencyLimit: Int? = nil
    ) -> FakeWorkPool {
        change {
            $0.world.createPool(
                name: name, type: type, template: template, isPaused: isPaused, concurrencyLimit: concurrencyLimit)
        }
    }

    /// A small template of a process pool: command, environment and working directory.
    public static let processTemplate: JSONValue = [
        "job_configuration": [
            "command": "{{ command }}", "env": "{{ env }}", "labels": "{{ labels }}", "name": "{{ name }}",
            "stream_output": "{{ stream_output }}", "working_dir": "{{ working_dir }}",
        ],
        "variables": [
            "type": "object",
            "properties": [
                "command": ["type": "string"], "env": ["type": "object", "default": [:]],
                "labels": ["type": "object", "default": [:]], "name": ["type": "string"],
                "stream_output": ["type": "boolean", "default": true], "working_dir": ["type": "string"],
            ],
        ],
    ]

    /// Creates a queue in a pool. Without a priority, it receives the next free one.
    @discardableResult
    public func addQueue(name: String, pool: FakeWorkPool, priority: Int? = nil, concurrencyLimit: Int? = nil)
        -> FakeWorkQueue
    {
        change { core in
            var queue = core.world.createQueue(name, in: pool, priority: priority)
            queue.concurrencyLimit = concurrencyLimit
            core.world.queues[queue.id] = queue
            return queue
        }
    }

    /// Pauses or resumes a pool.
    public func setPaused(_ isPaused: Bool, pool name: String) {
        change { $0.world.pools[name]?.isPaused = isPaused }
    }

    /// Makes a worker of a pool offline, until its next heartbeat.
    public func setOffline(worker: String, pool name: String) {
        change { core in
            guard let index = core.world.pools[name]?.workers.firstIndex(where: { $0.name == worker }) else { return }
            core.world.pools[name]?.workers[index].isOnline = false
        }
    }

    /// Deletes a pool with its queues; its runs stay, in no queue.
    public func removePool(_ name: String) {
        change { _ = $0.world.removePool(named: name) }
    }

    /// Creates a flow, or returns the existing one of that name.
    @discardableResult
    public func addFlow(name: String, tags: [String] = []) -> FakeFlow {
        change { $0.world.createFlow(named: name, tags: tags) }
    }

    /// Creates a deployment, and creates its flow and queue where they are missing.
    ///
    /// - Parameters:
    ///   - name: The deployment's name.
    ///   - flow: Its flow; without one it is the flow `fake-flow`.
    ///   - pool: Its pool; without one its runs are in no queue.
    ///   - queue: The name of its queue in the pool.
    ///   - jobVariables: Its job variables.
    ///   - parameters: Its parameters.
    ///   - tags: Its tags.
    ///   - entrypoint: The location of the flow.
    ///   - concurrencyLimit: The number of its runs that may be pending or running.
    ///   - collisionStrategy: The treatment of a run beyond that limit.
    @discardableResult
    public func addDeployment(
        name: String, flow: FakeFlow? = nil, pool: FakeWorkPool? = nil, queue: String = "default",
        jobVariables: JSONValue = [:], parameters: JSONValue = [:], tags: [String] = [],
        entrypoint: String? = "flow.py:main", concurrencyLimit: Int? = nil,
        collisionStrategy: FakeDeployment.CollisionStrategy = .enqueue
    ) -> FakeDeployment {
        change { core in
            let flow = flow ?? core.world.createFlow(named: "fake-flow")
            let found = pool.map { pool in
                core.world.queue(queue, in: pool) ?? core.world.createQueue(queue, in: pool)
            }
            let now = core.world.now
            let deployment = FakeDeployment(
                id: core.world.newID(), name: name, flowID: flow.id, workQueueID: found?.id,
                jobVariables: jobVariables, parameters: parameters, tags: tags, entrypoint: entrypoint, path: nil,
                pullSteps: [], concurrencyLimit: concurrencyLimit, collisionStrategy: collisionStrategy,
                namedQueue: queue == "default" ? nil : queue, limitID: core.world.newID(), created: now, updated: now)
            core.world.deployments[deployment.id] = deployment
            return deployment
        }
    }

    /// Deletes a deployment as the server does: with its scheduled runs, but without the others.
    public func removeDeployment(_ deployment: FakeDeployment) {
        change { _ = $0.world.removeDeployment(deployment.id) }
    }

    /// Deletes a deployment and keeps its scheduled runs, as after a deletion between a poll and the run's submission.
    public func removeDeploymentAlone(_ deployment: FakeDeployment) {
        change { $0.world.deployments[deployment.id] = nil }
    }

    /// Schedules a run and returns its id.
    ///
    /// - Parameters:
    ///   - deployment: The deployment to run.
    ///   - time: The due time; by default the server's current time.
    ///   - jobVariables: The run's own job variables.
    ///   - parameters: The run's own parameters.
    ///   - name: The run's name.
    ///   - labels: Labels in addition to those of every run.
    ///   - tags: Tags in addition to those of the deployment.
    @discardableResult
    public func scheduleRun(
        deployment: FakeDeployment, at time: Date? = nil, jobVariables: JSONValue = [:], parameters: JSONValue = [:],
        name: String? = nil, labels: JSONValue = [:], tags: [String] = []
    ) -> String {
        change { core in
            var state = FakeState(.scheduled, at: core.world.now)
            if let time { state.scheduledTime = WireTime(time) }
            return core.world.createRun(
                of: deployment, state: state, name: name, jobVariables: jobVariables, parameters: parameters,
                labels: labels, tags: tags
            ).id
        }
    }

    /// Schedules many runs at once and returns their ids.
    @discardableResult
    public func scheduleRuns(_ count: Int, deployment: FakeDeployment, at time: Date? = nil) -> [String] {
        change { core in
            var state = FakeState(.scheduled, at: core.world.now)
            if let time { state.scheduledTime = WireTime(time) }
            return (0..<count).map { _ in core.world.createRun(of: deployment, state: state).id }
        }
    }

    /// Creates a run without a deployment, pending in no queue, and returns its id.
    @discardableResult
    public func addRun(flow: FakeFlow, state: FakeState.Kind = .pending) -> String {
        change { core in
            let now = core.world.now
            var run = FakeFlowRun(
                id: core.world.newID(), name: "fake-run-\(core.world.number())", flowID: flow.id, deploymentID: nil,
                workQueueID: nil, created: now)
            run.enter(FakeState(state, at: now), id: core.world.newID())
            core.world.runs[run.id] = run
            return run.id
        }
    }

    /// Sets a run's state, as its own process or a user would. Without `force`, all rules of the server apply.
    ///
    /// - Returns: Whether the state was accepted.
    @discardableResult
    public func setState(
        of run: String, to type: FakeState.Kind, name: String? = nil, message: String? = nil, force: Bool = true
    ) -> Bool {
        change { core in
            let state = FakeState(type, name: name, message: message, at: core.world.now)
            return core.world.propose(state, for: run, force: force)?.answer == .accept
        }
    }

    /// Creates a block document and returns its id.
    @discardableResult
    public func addBlock(type slug: String, name: String, data: JSONValue) -> String {
        change { core in
            let block = FakeBlock(
                id: core.world.newID(), slug: slug, name: name, data: data, created: core.world.now)
            core.world.blocks.append(block)
            return block.id
        }
    }

    /// Creates a variable, or changes its value.
    public func addVariable(name: String, value: JSONValue) {
        change { core in
            core.world.variables[name] = FakeVariable(
                id: core.world.newID(), name: name, value: value, created: core.world.now)
        }
    }

    /// Makes all issued CSRF tokens invalid.
    public func revokeCSRFTokens() {
        change { $0.world.tokens.removeAll() }
    }
}
