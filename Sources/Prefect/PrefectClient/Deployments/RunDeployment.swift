internal import FoundationEssentials
public import OrderedCollections
public import PrefectJSON

extension APIClient {
    /// Runs a deployment and waits for the end of the run: `POST /deployments/{id}/create_flow_run`, then
    /// ``waitForFlowRun(id:timeout:)``.
    ///
    /// ```swift
    /// let run = try await client.runDeployment(named: "etl/nightly", parameters: ["day": "2026-01-31"])
    /// print(run.stateType == .completed ? "done" : run.state?.message ?? "failed")
    /// ```
    ///
    /// To start a run without waiting, use ``readDeployment(named:effort:)`` and `createFlowRun(fromDeployment:…)`.
    ///
    /// - Parameters:
    ///   - name: The names of the flow and of the deployment, as `flow/deployment`.
    ///   - parameters: Parameters that replace the deployment's.
    ///   - timeout: The longest time from the creation to the end of the run; `nil` means no limit.
    ///   - scheduledTime: The time for which the run is planned; `nil` means now.
    ///   - runName: The name of the run; `nil` means a name that the API makes.
    ///   - tags: Tags in addition to the deployment's.
    ///   - jobVariables: Job variables that replace the deployment's.
    ///   - idempotencyKey: A name for the run. If a run of the same flow has it already, that run is the result. `nil`
    ///     means a new one, so a repeated request never creates a second run.
    /// - Returns: The run in its final state, which may be a failure.
    /// - Throws: ``FlowRunTimeout`` at the end of `timeout`. ``APIError`` if the deployment does not exist or cannot
    ///   be run. `CancellationError` when the task is cancelled. A created run continues in each case.
    public func runDeployment(
        named name: String, parameters: JSONObject = [:], timeout: Duration? = nil, scheduledTime: Timestamp? = nil,
        runName: String? = nil, tags: [String] = [], jobVariables: JSONObject? = nil, idempotencyKey: String? = nil
    ) async throws -> FlowRun {
        let deployment = try await readDeployment(named: name)
        let run = try await createFlowRun(
            fromDeployment: deployment.id, parameters: parameters,
            state: StateCreate(type: .scheduled, name: "Scheduled", scheduledTime: scheduledTime ?? .now),
            name: runName, tags: tags, idempotencyKey: idempotencyKey ?? UUID().text,
            jobVariables: jobVariables)
        return try await waitForFlowRun(id: run.id, timeout: timeout)
    }
}
