import FoundationEssentials
import PrefectClient

func automation(_ client: APIClient) async throws -> UUID {
    let late = EventTrigger(posture: .reactive) {
        $0.match = ["prefect.resource.id": "prefect.flow-run.*"]
        $0.expect = ["prefect.flow-run.Late"]
        $0.forEach = ["prefect.resource.id"]
        $0.threshold = 2
        $0.within = .seconds(600)
    }
    return try await client.createAutomation(
        AutomationCore(name: "no late runs", trigger: .event(late), actions: [.cancelFlowRun(CancelFlowRunAction())]))
}

func pause(_ client: APIClient) async throws {
    guard let automation = try await client.findAutomation("no late runs") else { return }
    try await client.pauseAutomation(id: automation.id)
}
