public import FoundationEssentials
internal import HTTPTransport
public import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Proposes a state for a flow run: `POST /flow_runs/{id}/set_state`.
    ///
    /// The API can refuse the state or put it off without an error: read ``OrchestrationResult/status``.
    ///
    /// - Parameters:
    ///   - force: Whether the state is written without the rules of the API.
    ///   - transitionID: The id by which the API recognises a repeated request; `nil` makes a new one.
    public func setFlowRunState(
        id: UUID, _ state: StateCreate, force: Bool = false, transitionID: UUID? = nil,
        effort: RetryPolicy.Effort = .standard
    ) async throws -> OrchestrationResult {
        let state = state.withDetails {
            $0.flowRunID = id
            $0.transitionID = transitionID ?? $0.transitionID ?? UUID()
        }
        let body: JSONValue = ["state": state.jsonValue, "force": .bool(force)]
        return try await read(.post, ["flow_runs", .uuid(id), "set_state"], body: body, effort: effort)
    }

    /// Resumes a paused flow run: `POST /flow_runs/{id}/resume`. For a run that is not paused, the result is REJECT or
    /// ABORT. For an unknown run, the server answers 500.
    ///
    /// - Parameter runInput: The input that the run waits for.
    public func resumeFlowRun(
        id: UUID, runInput: JSONObject? = nil, effort: RetryPolicy.Effort = .standard
    ) async throws -> OrchestrationResult {
        let body: JSONValue = ["run_input": runInput.orNull]
        return try await read(.post, ["flow_runs", .uuid(id), "resume"], body: body, effort: effort)
    }

    /// Reads the states that a flow run had, the oldest first: `GET /flow_run_states/`. Empty for an unknown run.
    public func readFlowRunStates(
        flowRunID: UUID, effort: RetryPolicy.Effort = .standard
    ) async throws -> [State] {
        let query = [(name: "flow_run_id", value: flowRunID.text)]
        return try await read(.get, ["flow_run_states", ""], query: query, effort: effort)
    }

    /// Reads a state of a flow run: `GET /flow_run_states/{id}`.
    public func readFlowRunState(id: UUID, effort: RetryPolicy.Effort = .standard) async throws -> State {
        try await read(.get, ["flow_run_states", .uuid(id)], effort: effort)
    }
}
