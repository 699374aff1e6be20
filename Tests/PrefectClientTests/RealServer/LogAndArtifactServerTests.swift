import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@Suite("Logs and artifacts of a real server", .requires(.prefectServer), .timeLimit(.minutes(10)))
struct LogAndArtifactServerTests {
    @Test("lines of a flow run are written and read in both orders")
    func logs() async throws {
        try await withRealServer { client, cleanUp in
            let name = uniqueName("logs")
            let run = try await client.createFlowRun(ofFlow: name)
            cleanUp.add { try await client.deleteFlow(id: run.flowID) }
            let start = Timestamp.now
            let lines = (0..<5).map { number in
                LogCreate(
                    name: "swift", level: 20 + 10 * (number % 2), message: "line \(number)",
                    timestamp: start.adding(seconds: Double(number))
                ) { $0.flowRunID = run.id }
            }
            try await client.createLogs(lines)
            try await client.createLogs([])
            var found: [Log] = []
            let ours = LogFilter(flowRunID: .equals(run.id))
            try await eventually(within: .seconds(60), "the server has all lines", every: .milliseconds(200)) {
                found = try await client.readLogs(logs: ours)
                return found.count == lines.count
            }
            #expect(found.map(\.message) == lines.map(\.message))
            #expect(found.map(\.level) == lines.map(\.level))
            let warnings = LogFilter(level: .atLeast(30), flowRunID: .equals(run.id))
            let last = try await client.readLogs(logs: warnings, sort: .timestampDescending, limit: 1, offset: 0)
            #expect(last.map(\.message) == ["line 3"])
            var all: [String] = []
            let pages = Pages(size: 2) { try await client.readLogs(logs: ours, limit: $0, offset: $1) }
            for try await line in pages { all.append(line.message) }
            #expect(all == lines.map(\.message))
        }
    }

    @Test("artifacts are created, changed, read by their keys and deleted; their events arrive")
    func artifacts() async throws {
        try await withRealServer { client, cleanUp in
            let key = uniqueName("report")
            let first = try await client.createArtifact(
                ArtifactCreate {
                    $0.key = key
                    $0.type = "markdown"
                    $0.data = "# One"
                })
            cleanUp.add { try await client.deleteArtifact(id: first.id) }
            let second = try await client.createArtifact(
                ArtifactCreate {
                    $0.key = key
                    $0.type = "table"
                    $0.data = [["a": 1], ["a": nil]]
                })
            cleanUp.add { try await client.deleteArtifact(id: second.id) }
            let changes = ArtifactUpdate { $0.description = "changed" }
            try await client.updateArtifact(id: second.id, changes)

            let found = try await client.readArtifacts(
                artifacts: ArtifactFilter(key: .equals(key)), sort: .createdDescending, limit: 10)
            #expect(found.map(\.id) == [second.id, first.id])
            #expect(found.first?.description == "changed")
            #expect(found.first?.data == [["a": 1], ["a": nil]])
            let latest = try await client.readLatestArtifacts(
                artifacts: ArtifactCollectionFilter(key: .equals(key)), sort: .keyAscending)
            #expect(latest.map(\.latestID) == [second.id])

            try await client.createEvents([.artifactCreated(second), .artifactUpdated(id: second.id, changes)])
            let resource = "prefect.artifact.\(second.id.uuidString.lowercased())"
            let filter = EventFilter { $0.resource = EventResourceFilter { $0.id = [resource] } }
            var events: [ReceivedEvent] = []
            try await eventually(within: .seconds(60), "the server has both events", every: .milliseconds(300)) {
                events = try await client.readEvents(filter).events
                return events.count == 2
            }
            #expect(Set(events.map(\.event)) == ["prefect.artifact.created", "prefect.artifact.updated"])
            let created = events.first { $0.event == "prefect.artifact.created" }
            #expect(created?.resource["prefect.resource.name"] == .string(key))
            #expect(created?.payload == ["key": .string(key), "type": "table"])

            try await client.deleteArtifact(id: first.id)
            #expect(await apiError { try await client.deleteArtifact(id: first.id) }?.isNotFound == true)
            #expect(await apiError { try await client.updateArtifact(id: first.id, changes) }?.isNotFound == true)
        }
    }
}
