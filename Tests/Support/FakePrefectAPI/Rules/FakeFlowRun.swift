public import PrefectJSON

/// A flow run, as the fake stores it.
public struct FakeFlowRun: Sendable {
    /// The run's id.
    public let id: String
    /// The run's name.
    public internal(set) var name: String
    /// The flow that the run belongs to.
    public let flowID: String
    /// The deployment that the run belongs to; the id stays when the deployment is deleted.
    public let deploymentID: String?
    /// The queue in which the run waits.
    public internal(set) var workQueueID: String?
    /// All states of the run, the current one last; never empty.
    public internal(set) var states: [FakeState]
    /// The run's own job variables, without the deployment's.
    public internal(set) var jobVariables: JSONValue
    /// The run's parameters.
    public internal(set) var parameters: JSONValue
    /// The run's labels.
    public internal(set) var labels: JSONValue
    /// The run's tags, including the deployment's.
    public internal(set) var tags: [String]
    /// The values of the run's inputs by their keys.
    public internal(set) var inputs: [String: String] = [:]
    /// The location of the run's infrastructure, once a worker has reported it.
    public internal(set) var infrastructurePID: String?
    /// How often the run entered a running state.
    public internal(set) var runCount = 0
    /// The permitted retries, in the form of the API.
    public internal(set) var empiricalPolicy: JSONValue
    /// The queue that its deployment requested by name. A poll returns this name, and not that of the default queue.
    var namedQueue: String?
    var idempotencyKey: String?
    let created: WireTime
    var updated: WireTime
    var expectedStart: WireTime?
    var nextScheduledStart: WireTime?
    var started: WireTime?
    var ended: WireTime?
    var totalRunTime = 0.0

    init(
        id: String, name: String, flowID: String, deploymentID: String?, workQueueID: String?, created: WireTime,
        jobVariables: JSONValue = [:], parameters: JSONValue = [:], labels: JSONValue = [:], tags: [String] = []
    ) {
        self.id = id
        self.name = name
        self.flowID = flowID
        self.deploymentID = deploymentID
        self.workQueueID = workQueueID
        self.created = created
        self.jobVariables = jobVariables
        self.parameters = parameters
        self.labels = labels
        self.tags = tags
        updated = created
        states = []
        empiricalPolicy = Self.defaultPolicy
    }

    static let defaultPolicy: JSONValue = [
        "max_retries": 0, "retry_delay_seconds": 0.0, "retries": nil, "retry_delay": nil, "pause_keys": [],
        "resuming": false, "retry_type": nil,
    ]

    /// The state the run is in.
    public var state: FakeState? { states.last }
    /// The type of the state the run is in.
    public var stateType: FakeState.Kind? { state?.type }
    /// The name of the state the run is in.
    public var stateName: String? { state?.name }
    /// The names of all states of the run, in order.
    public var stateNames: [String] { states.map(\.name) }

    /// Makes a state the current one, and updates the run's times and counts as the server does.
    mutating func enter(_ proposed: FakeState, id stateID: String) {
        var next = proposed
        next.id = stateID
        next.details["flow_run_id"] = .string(id)
        // Two states of one run never share a timestamp.
        if let last = state, next.timestamp <= last.timestamp {
            next.timestamp = WireTime(microseconds: last.timestamp.microseconds + 1)
        }
        if next.type == .running {
            if started == nil { started = next.timestamp }
            runCount += 1
        }
        if let last = state {
            if last.type.isTerminal, !next.type.isTerminal { ended = nil }
            if last.type == .running { totalRunTime += next.timestamp.seconds(since: last.timestamp) }
        }
        if next.type.isTerminal, ended == nil {
            if started == nil { started = next.timestamp }
            ended = next.timestamp
        }
        if expectedStart == nil { expectedStart = next.type == .scheduled ? next.scheduledTime : next.timestamp }
        nextScheduledStart = next.type == .scheduled ? next.scheduledTime : nil
        updated = next.timestamp
        states.append(next)
    }

    /// The run as the API writes it.
    ///
    /// - Parameters:
    ///   - place: The queue's name and the pool, which the API returns only for one run or a filter.
    ///   - now: The moment for the estimates.
    func json(place: Place?, now: WireTime) -> String {
        var text = JSONText()
        text.addIdentity(id: id, created: created, updated: updated, name: name)
        text.add("flow_id", plain: flowID)
        text.add("state_id", plain: state?.id)
        text.add("deployment_id", plain: deploymentID)
        text.add("deployment_version", raw: "null")
        text.add("work_queue_id", plain: workQueueID)
        text.add("work_queue_name", place == nil ? namedQueue : place?.queue)
        text.add("flow_version", raw: "null")
        text.add("parameters", parameters)
        text.add("idempotency_key", idempotencyKey)
        text.add("context", raw: "{}")
        text.add("empirical_policy", empiricalPolicy)
        text.add("tags", tags)
        text.add("labels", labels)
        text.add("parent_task_run_id", raw: "null")
        text.add("state_type", plain: stateType?.rawValue)
        text.add("state_name", stateName)
        text.add("run_count", runCount)
        text.add("expected_start_time", expectedStart)
        text.add("next_scheduled_start_time", nextScheduledStart)
        text.add("start_time", started)
        text.add("end_time", ended)
        text.add("total_run_time", totalRunTime)
        let running = stateType == .running ? state.map { now.seconds(since: $0.timestamp) } ?? 0 : 0
        text.add("estimated_run_time", totalRunTime + running)
        text.add("estimated_start_time_delta", startDelay(now: now))
        text.add("auto_scheduled", false)
        text.add("infrastructure_document_id", raw: "null")
        text.add("infrastructure_pid", infrastructurePID)
        text.add("created_by", raw: "null")
        if let place {
            text.add("work_pool_id", plain: place.poolID)
            text.add("work_pool_name", place.pool)
            text.add("state", raw: state?.json ?? "null")
        } else {
            text.add("state", raw: "null")
        }
        text.add("job_variables", jobVariables)
        return text.closed
    }

    /// The pool and queue of a run; all `nil` for a run without a queue.
    struct Place {
        var queue: String?
        var poolID: String?
        var pool: String?
    }

    private func startDelay(now: WireTime) -> Double {
        guard let expectedStart else { return 0 }
        if let started { return max(0, started.seconds(since: expectedStart)) }
        if stateType?.isTerminal == true { return 0 }
        return max(0, now.seconds(since: expectedStart))
    }
}
