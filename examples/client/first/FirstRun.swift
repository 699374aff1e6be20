import PrefectClient

@main
struct FirstRun {
    static func main() async throws {
        let client = try APIClient(settings: PrefectSettings.load())
        let run = try await client.createFlowRun(
            ofFlow: "hello-from-swift", parameters: ["name": "world"], tags: ["tutorial"])
        let running = try await client.setFlowRunState(id: run.id, StateCreate(type: .running))
        guard running.status == .accept else { return print("the API did not accept the start") }
        let line = LogCreate(name: "swift", level: 20, message: "hello, world", timestamp: .now) {
            $0.flowRunID = run.id
        }
        try await client.createLogs([line])
        let done = StateCreate(type: .completed, name: "Completed", message: "all said")
        _ = try await client.setFlowRunState(id: run.id, done)
        let finished = try await client.readFlowRun(id: run.id)
        print("\(finished.name) is \(finished.stateName ?? "unknown") after \(finished.totalRunTime)")
    }
}
