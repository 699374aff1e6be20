import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@Suite("Waiting for flow runs")
struct FlowRunWaitingTests {
    private static let reads = "/flow_runs/*"

    @Test("the wait returns the run in its final state, which may be a failure")
    func end() async throws {
        try await withFakePrefectAPI { api in
            let run = api.addRun(flow: api.addFlow(name: "f"))
            let id = try #require(UUID(uuidString: run))
            try await withClient(of: api.url) { client, _ in
                async let waited = client.waitForFlowRun(id: id, timeout: .seconds(60))
                try await api.waitUntil("the run is read") { !$0.requests("GET", Self.reads).isEmpty }
                api.setState(of: run, to: .failed, message: "no disk")
                let finished = try await waited
                #expect(finished.isFinished)
                #expect(finished.state?.type == .failed)
                #expect(finished.state?.message == "no disk")
            }
        }
    }

    @Test("a run that has ended is read once, and no event socket is opened")
    func alreadyEnded() async throws {
        try await withFakePrefectAPI { api in
            let run = api.addRun(flow: api.addFlow(name: "f"))
            api.setState(of: run, to: .completed)
            let id = try #require(UUID(uuidString: run))
            try await withClient(of: api.url) { client, _ in
                _ = try await client.waitForFlowRun(id: id)
                #expect(api.requests(nil, "*").map(\.line) == ["GET /flow_runs/\(run)"])
            }
        }
    }

    @Test("the end of the time is an error that names the run and its last state")
    func timeout() async throws {
        try await withFakePrefectAPI { api in
            let run = api.addRun(flow: api.addFlow(name: "f"), state: .running)
            let id = try #require(UUID(uuidString: run))
            try await withClient(of: api.url) { client, _ in
                let error = await #expect(throws: FlowRunTimeout.self) {
                    _ = try await client.waitForFlowRun(id: id, timeout: .seconds(2))
                }
                #expect(error?.flowRunID == id)
                #expect(error?.run?.stateType == .running)
                #expect(error?.description.contains("Running") == true)
                #expect(error?.description.contains(run) == true)
            }
        }
    }

    @Test("an unknown run is not found")
    func unknown() async throws {
        try await withFakePrefectAPI { api in
            try await withClient(of: api.url) { client, _ in
                let error = await apiError { _ = try await client.waitForFlowRun(id: UUID(), timeout: .seconds(60)) }
                #expect(error?.isNotFound == true)
            }
        }
    }

    @Test("a cancelled task stops the wait")
    func cancellation() async throws {
        try await withFakePrefectAPI { api in
            let run = api.addRun(flow: api.addFlow(name: "f"))
            let id = try #require(UUID(uuidString: run))
            try await withClient(of: api.url) { client, _ in
                let task = Task { try await client.waitForFlowRun(id: id) }
                try await api.waitUntil("the run is read") { !$0.requests("GET", Self.reads).isEmpty }
                task.cancel()
                await #expect(throws: CancellationError.self) { _ = try await task.value }
            }
        }
    }

    @Test("an outage during the wait does not end it")
    func outage() async throws {
        try await withFakePrefectAPI { api in
            let run = api.addRun(flow: api.addFlow(name: "f"))
            let id = try #require(UUID(uuidString: run))
            try await withClient(of: api.url) { client, _ in
                async let waited = client.waitForFlowRun(id: id, timeout: .seconds(100))
                try await api.waitUntil("the run is read") { !$0.requests("GET", Self.reads).isEmpty }
                // The answer arrives before the outage.
                try await Task.sleep(for: .milliseconds(100))
                await api.goOffline()
                api.setState(of: run, to: .completed)
                try await Task.sleep(for: .seconds(1))
                try await api.comeBack()
                let finished = try await waited
                #expect(finished.state?.type == .completed)
            }
        }
    }

    @Test("a deployment is run once and its result returned, although the first answer is lost")
    func runDeployment() async throws {
        try await withFakePrefectAPI { api in
            let pool = api.addPool(name: "p")
            api.addDeployment(name: "nightly", flow: api.addFlow(name: "etl"), pool: pool)
            let creation = (method: "POST", path: "/deployments/*/create_flow_run")
            api.script(method: creation.method, path: creation.path, times: 1, answer: .applyThen(.closeConnection))
            try await withClient(of: api.url) { client, _ in
                async let finished = client.runDeployment(
                    named: "etl/nightly", parameters: ["day": "today"], timeout: .seconds(60), runName: "once")
                let run = try await api.wait(for: "the run is read") {
                    $0.requests("GET", Self.reads).first.flatMap { $0.path.split(separator: "/").last.map(String.init) }
                }
                api.setState(of: run, to: .completed)
                let result = try await finished
                #expect(result.id == UUID(uuidString: run))
                #expect(result.name == "once")
                let requests = api.requests(creation.method, creation.path)
                #expect(requests.map(\.status) == [nil, 200])
                #expect(api.snapshot.runs.map(\.id) == [run])
                #expect(requests[0].body == requests[1].body)
                #expect(requests[0].body["parameters"] == ["day": "today"])
                #expect(requests[0].body["idempotency_key"]?.stringValue?.count == 36)
                #expect(requests[0].body["state"]?["type"] == "SCHEDULED")
            }
        }
    }

    @Test("names in another form are refused before any request", arguments: ["etl", "etl/", "/x", "a/b/c", ""])
    func names(name: String) async throws {
        try await withFakePrefectAPI { api in
            try await withClient(of: api.url) { client, _ in
                let error = await apiError { _ = try await client.runDeployment(named: name) }
                #expect(error?.detail.contains("flow/deployment") == true)
                let blockError = await apiError { _ = try await client.readBlockData(of: name) }
                #expect(blockError?.detail.contains("type/name") == true)
                #expect(api.requests(nil, "*").isEmpty)
            }
        }
    }

    @Test("blocks and variables are read by their names")
    func blocksAndVariables() async throws {
        try await withFakePrefectAPI { api in
            api.addBlock(type: "secret", name: "token", data: ["value": "hidden"])
            api.addVariable(name: "region", value: ["name": "eu"])
            try await withClient(of: api.url) { client, _ in
                let data = try await client.readBlockData(of: "secret/token")
                #expect(data == ["value": "hidden"])
                let region = try await client.readVariableValue(named: "region")
                #expect(region == ["name": "eu"])
                let none = try await client.readVariableValue(named: "none")
                #expect(none == nil)
                let error = await apiError { _ = try await client.readBlockData(of: "secret/none") }
                #expect(error?.isNotFound == true)
            }
        }
    }
}
