import PrefectClient

func deployment(_ client: APIClient) async throws -> Bool {
    let run = try await client.runDeployment(
        named: "etl/nightly", parameters: ["day": "2026-01-31"], timeout: .seconds(600))
    return run.stateType == .completed
}
