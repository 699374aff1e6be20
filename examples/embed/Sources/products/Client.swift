import FoundationEssentials
import PrefectClient

/// Describes a work pool and the latest states of a flow run, as the API reports them.
func describe(pool: String, flowRun: UUID) async throws -> String {
    let client = try APIClient(settings: PrefectSettings.load())
    do {
        let pool = try await client.readWorkPool(named: pool)
        let states = try await client.readFlowRunStates(flowRunID: flowRun)
        return "\(pool.name) is a \(pool.type) pool; the run is \(states.last?.name ?? "new")"
    } catch let error as APIError where error.isNotFound {
        return "\(error.operation): there is no such object"
    }
}
