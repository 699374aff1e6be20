import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@Suite("Following logs")
struct FlowRunLogsTests {
    /// Writes lines whose times are these numbers of seconds before or after the beginning.
    private static func write(
        _ lines: [(second: Int, message: String)], run: UUID, start: Timestamp, to client: APIClient
    ) async throws {
        let body = lines.map { line -> JSONValue in
            [
                "name": "test", "level": 20, "message": .string(line.message), "flow_run_id": run.jsonValue,
                "timestamp": start.adding(seconds: Double(line.second)).jsonValue,
            ]
        }
        _ = try await client.request("POST", "/logs/", body: .array(body))
    }

    @Test("all lines arrive once, also late ones and those after the end of the run")
    func follow() async throws {
        try await withFakePrefectAPI { api in
            let run = api.addRun(flow: api.addFlow(name: "f"), state: .running)
            let id = try #require(UUID(uuidString: run))
            try await withClient(of: api.url, sleep: { _ in try await Task.sleep(for: .milliseconds(10)) }) {
                client, _ in
                let start = Timestamp.now
                try await Self.write((0..<450).map { ($0 + 10, "\($0)") }, run: id, start: start, to: client)
                let lines = Mutex<[String]>([])
                async let followed: Void = {
                    for try await line in client.followLogs(ofFlowRun: id, grace: .seconds(2)) {
                        lines.withLock { $0.append(line.message) }
                    }
                }()
                try await eventually("the first lines arrive") { lines.withLock { $0.count } == 450 }
                try await Self.write(
                    [(5, "late"), (300, "late too"), (900, "next")], run: id, start: start, to: client)
                try await eventually("the late lines arrive") { lines.withLock { $0.count } == 453 }
                api.setState(of: run, to: .completed)
                try await Self.write([(901, "after the end")], run: id, start: start, to: client)
                try await followed
                let all = lines.withLock { $0 }
                #expect(all.prefix(450) == (0..<450).map(String.init)[...])
                #expect(Set(all.suffix(4)) == ["late", "late too", "next", "after the end"])
                #expect(all.count == 454)
            }
        }
    }

    @Test("a cancelled task stops the following, and an unknown run is not found")
    func endings() async throws {
        try await withFakePrefectAPI { api in
            let run = api.addRun(flow: api.addFlow(name: "f"), state: .running)
            let id = try #require(UUID(uuidString: run))
            try await withClient(of: api.url, sleep: { try await Task.sleep(for: $0) }) { client, _ in
                let task = Task { for try await _ in client.followLogs(ofFlowRun: id) {} }
                try await api.waitUntil("the logs are read") { !$0.requests("POST", "/logs/filter").isEmpty }
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
                let error = await apiError { for try await _ in client.followLogs(ofFlowRun: UUID()) {} }
                #expect(error?.isNotFound == true)
            }
        }
    }

    @Test("a run of a real server is followed and awaited", .requires(.prefectServer), .timeLimit(.minutes(5)))
    func realServer() async throws {
        let server = try PrefectServerClient.fromEnvironment()
        try await withClient(of: server.url, sleep: { try await Task.sleep(for: $0) }) { client, _ in
            let flow = try await client.createFlow(named: "follow-\(UUID())")
            let deployment = try await client.createDeployment(
                DeploymentCreate(name: "d", flowID: flow) {
                    $0.tags = ["follow"]
                    $0.schedules = [
                        DeploymentScheduleCreate(schedule: .interval(IntervalSchedule(interval: .seconds(86_400)))) {
                            $0.active = false
                        }
                    ]
                })
            let flowName = try await client.readFlow(id: flow).name
            let started = try await client.createFlowRun(fromDeployment: deployment, idempotencyKey: "one")
            async let finished = client.runDeployment(
                named: "\(flowName)/d", timeout: .seconds(200), idempotencyKey: "one")
            let start = Timestamp.now
            try await Self.write((0..<250).map { ($0, "\($0)") }, run: started.id, start: start, to: client)
            let lines = Mutex<[String]>([])
            async let followed: Void = {
                for try await line in client.followLogs(ofFlowRun: started.id) {
                    lines.withLock { $0.append(line.message) }
                }
            }()
            try await eventually(within: .seconds(60), "the lines arrive") { lines.withLock { $0.count } == 250 }
            try await Self.write([(3, "late")], run: started.id, start: start, to: client)
            for type in [StateType.pending, .running, .completed] {
                _ = try await client.setFlowRunState(id: started.id, StateCreate(type: type), force: true)
            }
            let result = try await finished
            #expect(result.id == started.id)
            #expect(result.stateType == .completed)
            try await followed
            #expect(lines.withLock { $0.count } == 251)
            #expect(lines.withLock { $0.last } == "late")
            try await client.deleteFlow(id: flow)
        }
    }
}
