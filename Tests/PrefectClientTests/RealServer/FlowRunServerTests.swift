import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@Suite("Flows and flow runs of a real server", .requires(.prefectServer), .timeLimit(.minutes(10)))
struct FlowRunServerTests {
    @Test("flows and runs are created, read, changed and deleted; states are proposed")
    func runs() async throws {
        try await withRealServer { client, cleanUp in
            let name = uniqueName("flow")
            let flowID = try await client.createFlow(named: name, tags: ["swift"], labels: ["team": "data"])
            cleanUp.add { try await client.deleteFlow(id: flowID) }
            #expect(try await client.createFlow(named: name) == flowID)
            #expect(try await client.readFlow(named: name).id == flowID)
            #expect(try await client.readFlow(id: flowID).tags == ["swift"])
            let flows = FlowFilter(name: .equals(name))
            #expect(try await client.readFlows(flows: flows, sort: .nameAscending, limit: 2).map(\.id) == [flowID])

            let run = try await client.createFlowRun(
                ofFlow: name, name: "first", parameters: ["n": 1], tags: ["swift"])
            let ours = FlowRunFilter(id: .equals(run.id))
            #expect(try await client.readFlowRuns(flowRuns: ours, sort: .idDescending).map(\.id) == [run.id])
            #expect(try await client.countFlowRuns(flows: flows) == 1)
            try await client.setFlowRunName(id: run.id, to: "renamed")
            try await client.updateFlowRun(id: run.id, FlowRunUpdate { $0.tags = ["a", "b"] })
            try await client.updateFlowRunLabels(id: run.id, ["l": 2])
            let changed = try await client.readFlowRun(id: run.id)
            #expect(changed.name == "renamed" && Set(changed.tags) == ["a", "b"])
            #expect(changed.labels["l"] == 2 && changed.parameters == ["n": 1])

            let running = try await client.setFlowRunState(id: run.id, StateCreate(type: .running))
            #expect(running.status == .accept)
            let done = try await client.setFlowRunState(id: run.id, StateCreate(type: .completed))
            #expect(done.status == .accept && done.state?.type == .completed)
            let refused = try await client.resumeFlowRun(id: run.id)
            #expect(refused.status != .accept)
            let states = try await client.readFlowRunStates(flowRunID: run.id)
            #expect(states.map(\.type) == [.pending, .running, .completed])
            let last = try #require(states.last)
            #expect(try await client.readFlowRunState(id: last.id).type == .completed)
            #expect(try await client.readFlowRunStates(flowRunID: UUID()) == [])
            #expect(await apiError { _ = try await client.readFlowRun(id: UUID()) }?.isNotFound == true)
            #expect(await apiError { _ = try await client.readFlow(named: "no-\(name)") }?.isNotFound == true)
            try await client.deleteFlowRun(id: run.id)
            #expect(await apiError { try await client.deleteFlowRun(id: run.id) }?.isNotFound == true)
        }
    }

    @Test("inputs of a run are written, read, listed and deleted")
    func inputs() async throws {
        try await withRealServer { client, cleanUp in
            let run = try await client.createFlowRun(ofFlow: uniqueName("inputs"))
            cleanUp.add { try await client.deleteFlow(id: run.flowID) }
            try await client.createFlowRunInput(flowRunID: run.id, key: "in-1", value: "{\"n\": 1}", sender: "me")
            try await client.createFlowRunInput(flowRunID: run.id, key: "in-2", value: "plain")
            let again = await apiError {
                try await client.createFlowRunInput(flowRunID: run.id, key: "in-2", value: "other")
            }
            #expect(again?.isConflict == true)
            #expect(try await client.readFlowRunInput(flowRunID: run.id, key: "in-1") == "{\"n\": 1}")
            let others = try await client.filterFlowRunInput(
                flowRunID: run.id, keyPrefix: "in-", limit: 5, excluding: ["in-1"])
            #expect(others.map(\.key) == ["in-2"] && others.map(\.value) == ["plain"])
            try await client.deleteFlowRunInput(flowRunID: run.id, key: "in-1")
            let gone = await apiError { _ = try await client.readFlowRunInput(flowRunID: run.id, key: "in-1") }
            #expect(gone?.isNotFound == true)
        }
    }

    @Test("events are sent and read page by page")
    func events() async throws {
        try await withRealServer { client, _ in
            let resource = uniqueName("resource")
            let events = (0..<60).map { number in
                EventCreate(
                    occurred: .now, event: "swift.client.test", resource: ["prefect.resource.id": .string(resource)],
                    id: UUID()
                ) { $0.payload = ["n": .int(number)] }
            }
            try await client.createEvents(events)
            let filter = EventFilter { $0.resource = EventResourceFilter { $0.id = [resource] } }
            try await eventually(within: .seconds(60), "the server has all events", every: .milliseconds(300)) {
                var count = 0
                for try await _ in client.allEvents(filter) { count += 1 }
                return count == events.count
            }
            let page = try await client.readEvents(filter)
            #expect(page.events.count == 50 && page.total == 60)
            let next = try #require(page.nextPage)
            #expect(try await client.readEventsPage(next).events.count == 10)
        }
    }
}
