public import FoundationEssentials
internal import HTTPTransport
public import OrderedCollections
public import PrefectJSON

extension APIClient {
    /// Creates a run of a deployment: `POST /deployments/{id}/create_flow_run`.
    ///
    /// The request may be repeated when its answer is lost. With an idempotency key, this never creates a second run.
    ///
    /// - Parameters:
    ///   - parameters: Parameters that replace the deployment's.
    ///   - state: The first state; `nil` means SCHEDULED for now.
    ///   - tags: Tags in addition to the deployment's.
    ///   - idempotencyKey: A name for the run. If a run of the same flow has it already, that run is the result.
    ///   - workQueueName: The queue of the run; `nil` means the deployment's.
    ///   - jobVariables: Job variables that replace the deployment's.
    public func createFlowRun(
        fromDeployment id: UUID, parameters: JSONObject = [:], context: JSONObject = [:], state: StateCreate? = nil,
        name: String? = nil, tags: [String] = [], idempotencyKey: String? = nil, parentTaskRunID: UUID? = nil,
        workQueueName: String? = nil, jobVariables: JSONObject? = nil, labels: JSONObject = [:],
        effort: RetryPolicy.Effort = .standard
    ) async throws -> FlowRun {
        let run = DeploymentFlowRunCreate {
            $0.state = state ?? StateCreate(type: .scheduled, name: "Scheduled", scheduledTime: .now)
            $0.name = name
            $0.parameters = parameters
            $0.context = context
            $0.tags = tags
            $0.idempotencyKey = idempotencyKey
            $0.parentTaskRunID = parentTaskRunID
            $0.jobVariables = jobVariables
            $0.labels = labels
            $0.assignIfPresent("work_queue_name", workQueueName)
        }
        return try await read(
            .post, ["deployments", .uuid(id), "create_flow_run"], body: run.jsonValue, effort: effort)
    }

    /// Reads the scheduled flow runs of deployments: `POST /deployments/get_scheduled_flow_runs`.
    ///
    /// - Parameters:
    ///   - scheduledBefore: Runs that are due later are not returned; `nil` means no limit.
    ///   - limit: The maximum number of runs; `nil` means the server's own limit, 200.
    public func getScheduledFlowRuns(
        forDeployments ids: [UUID], scheduledBefore: Timestamp? = nil, limit: Int? = nil,
        effort: RetryPolicy.Effort = .standard
    ) async throws -> [FlowRun] {
        let body = JSONValue.given(
            ("deployment_ids", ids.jsonValue), ("scheduled_before", scheduledBefore?.jsonValue),
            ("limit", limit?.jsonValue))
        return try await read(.post, ["deployments", "get_scheduled_flow_runs"], body: body, effort: effort)
    }
}
