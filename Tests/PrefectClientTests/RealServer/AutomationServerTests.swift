import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@Suite("Automations of a real server", .requires(.prefectServer), .timeLimit(.minutes(10)))
struct AutomationServerTests {
    private static func automation(_ name: String) -> AutomationCore {
        let failed = EventTrigger(posture: .reactive) {
            $0.match = ["prefect.resource.id": "prefect.flow-run.*"]
            $0.expect = ["prefect.flow-run.Failed.\(name)"]
            $0.threshold = 2
            $0.within = .seconds(30)
        }
        return AutomationCore(
            name: name, trigger: .event(failed), actions: [.cancelFlowRun(CancelFlowRunAction())])
    }

    @Test("automations are created, found, changed, paused and deleted")
    func automations() async throws {
        try await withRealServer { client, cleanUp in
            let name = uniqueName("automation")
            let id = try await client.createAutomation(Self.automation(name))
            cleanUp.add { try await client.deleteAutomation(id: id) }
            let read = try await client.readAutomation(id: id)
            #expect(read.name == name && read.enabled)
            guard case .event(let trigger) = read.trigger else {
                Issue.record("the trigger is \(read.trigger)")
                return
            }
            #expect(trigger.threshold == 2 && trigger.within == .seconds(30))
            // The API stores another action where the type of an action is absent.
            guard case .cancelFlowRun? = read.actions.first else {
                Issue.record("the actions are \(read.actions)")
                return
            }
            #expect(try await client.findAutomation(id.uuidString)?.id == id)
            #expect(try await client.findAutomation(name)?.id == id)
            #expect(try await client.findAutomation(name.uppercased())?.id == id)
            #expect(try await client.findAutomation("no-\(name)") == nil)
            #expect(await apiError { _ = try await client.findAutomation("\(UUID())") }?.isNotFound == true)
            #expect(try await client.readAutomations(named: name).map(\.id) == [id])
            let filtered = try await client.readAutomations(
                automations: AutomationFilter(name: .equals(name)), sort: .nameAscending, limit: 5)
            #expect(filtered.map(\.id) == [id])

            try await client.pauseAutomation(id: id)
            #expect(try await client.readAutomation(id: id).enabled == false)
            try await client.resumeAutomation(id: id)
            var changed = Self.automation(name)
            changed.description = "changed"
            try await client.updateAutomation(id: id, changed)
            let now = try await client.readAutomation(id: id)
            #expect(now.description == "changed" && now.enabled)

            let resource = "prefect.deployment.\(UUID().uuidString.lowercased())"
            #expect(try await client.readAutomations(relatedTo: resource) == [])
            try await client.deleteAutomations(ownedBy: resource)
            try await client.deleteAutomation(id: id)
            #expect(await apiError { try await client.deleteAutomation(id: id) }?.isNotFound == true)
            #expect(await apiError { _ = try await client.readAutomation(id: id) }?.isNotFound == true)
        }
    }

    @Test("the API accepts all types of triggers and actions that a server has")
    func types() async throws {
        try await withRealServer { client, cleanUp in
            let name = uniqueName("types")
            let absent = EventTrigger(posture: .proactive) { $0.expect = ["never.\(name)"] }
            var compound = Self.automation(name)
            compound.trigger = .compound(
                CompoundTrigger(triggers: [.event(absent), Self.automation(name).trigger], require: "any"))
            compound.actions = [
                .doNothing(DoNothingAction()),
                .pauseWorkPool(PauseWorkPoolAction { $0.source = "inferred" }),
                .changeFlowRunState(ChangeFlowRunStateAction(state: .cancelled)),
                .suspendFlowRun(SuspendFlowRunAction()),
            ]
            let id = try await client.createAutomation(compound)
            cleanUp.add { try await client.deleteAutomation(id: id) }
            let read = try await client.readAutomation(id: id)
            #expect(read.actions.map { $0.jsonValue["type"] } == compound.actions.map { $0.jsonValue["type"] })
            #expect(read.trigger.jsonValue["type"] == "compound")
        }
    }
}
