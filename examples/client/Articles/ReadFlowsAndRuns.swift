import FoundationEssentials
import PrefectClient

/// The API did not accept a state.
struct Refusal: Error {
    let state: String?
}

func runs(_ client: APIClient) async throws -> FlowRun {
    let run = try await client.createFlowRun(ofFlow: "hello", parameters: ["n": 1], tags: ["swift"])
    _ = try await client.setFlowRunState(id: run.id, StateCreate(type: .running))
    let result = try await client.setFlowRunState(id: run.id, StateCreate(type: .completed))
    guard result.status == .accept else { throw Refusal(state: result.state?.name) }
    return try await client.readFlowRun(id: run.id)
}

func failed(_ client: APIClient) async throws -> [String] {
    let failed = FlowRunFilter(state: FlowRunFilterState(type: .any(.failed, .crashed)))
    let runs = Pages { limit, offset in
        try await client.readFlowRuns(flowRuns: failed, sort: .idDescending, limit: limit, offset: offset)
    }
    var names: [String] = []
    for try await run in runs { names.append(run.name) }
    return names
}

func input(_ client: APIClient, _ id: UUID) async throws -> String {
    try await client.createFlowRunInput(flowRunID: id, key: "answer", value: "42", sender: "me")
    return try await client.readFlowRunInput(flowRunID: id, key: "answer")
}
