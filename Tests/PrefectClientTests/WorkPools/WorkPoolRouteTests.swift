import FoundationEssentials
import HTTPTransport
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@Suite("Work pools over the API")
struct WorkPoolRouteTests {
    @Test("a poll requests due runs and separates a run that cannot be read")
    func poll() async throws {
        try await withFakePrefectAPI { api in
            let pool = api.addPool(name: "p")
            let runs = api.scheduleRuns(3, deployment: api.addDeployment(name: "d", pool: pool))
            api.script(
                path: "*/get_scheduled_flow_runs", times: 1,
                answer: .replaceBody { body in
                    var rows = body.arrayValue ?? []
                    rows[1]["flow_run"]?["id"] = 7
                    return .array(rows)
                })
            try await withClient(of: api.url) { client, _ in
                let before = try #require(Timestamp("2999-01-02T03:04:05Z"))
                let due = try await client.poll(
                    workPool: "p", queues: ["default"], scheduledBefore: before, limit: 5)
                #expect(due.runs.map(\.id.text) == [runs[0], runs[2]])
                #expect(due.unreadable.count == 1)
                #expect(due.unreadable.first?.contains("[1].flow_run.id") == true)
                let body = try #require(api.requests("POST", "*/get_scheduled_flow_runs").first?.body)
                #expect(
                    body == [
                        "work_queue_names": ["default"], "scheduled_before": "2999-01-02 03:04:05+00:00", "limit": 5,
                    ])
                let run = try #require(due.runs.first)
                #expect(run.stateType == .scheduled)
                #expect(run.expectedStartTime != nil)
                #expect(run.stateType?.isFinal == false)
            }
        }
    }

    @Test("an answer that is not a list is an error")
    func noList() async throws {
        try await withFakePrefectAPI { api in
            api.script(answer: .status(200, body: ["detail": "hello"]))
            try await withClient(of: api.url) { client, _ in
                let error = await apiError {
                    _ = try await client.poll(
                        workPool: "p", queues: [], scheduledBefore: .now, limit: nil)
                }
                #expect(error?.description.contains("not a list of runs") == true)
            }
        }
    }

    @Test("the type of a pool identifies push pools and managed pools")
    func types() throws {
        let id = UUID().jsonValue
        let push = try WorkPool(jsonValue: ["id": id, "name": "p", "type": "ecs:push", "base_job_template": [:]])
        #expect(push.isPushPool && !push.isManagedPool && push.baseJobTemplate.isEmpty && !push.isPaused)
        #expect(throws: JSONDecodingError.self) { try WorkPool(jsonValue: ["id": id, "name": "p"]) }
    }

    @Test("queues are created, read and listed")
    func queues() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            try await withClient(of: api.url) { client, _ in
                let made = try await client.createWorkQueue(WorkQueueCreate(name: "a/b"), inWorkPool: "p")
                let read = try await client.readWorkQueue(named: "a/b", inWorkPool: "p")
                #expect(made == read)
                let found = try await client.readWorkQueues(
                    inWorkPool: "p", workQueues: WorkQueueFilter(name: .equals("a/b")))
                #expect(found == [made])
                let all = try await client.readWorkQueues(inWorkPool: "p")
                #expect(all.count == 2)
                let again = await apiError {
                    _ = try await client.createWorkQueue(WorkQueueCreate(name: "a/b"), inWorkPool: "p")
                }
                #expect(again?.status == 409)
            }
        }
    }

    @Test("blocks and variables are read with their values, and a missing variable is nil")
    func references() async throws {
        try await withFakePrefectAPI { api in
            let id = api.addBlock(type: "secret", name: "token", data: ["value": "s3cret"])
            api.addVariable(name: "v", value: ["a": 1])
            try await withClient(of: api.url) { client, _ in
                let byName = try await client.readBlockDocument(named: "token", ofType: "secret").data
                let byID = try await client.readBlockDocument(id: UUID(id: id)).data
                #expect(byName == ["value": "s3cret"])
                #expect(byID == byName)
                let variable = try await client.readVariable(named: "v")
                #expect(variable?["value"] == ["a": 1])
                let missing = try await client.readVariable(named: "none")
                #expect(missing == nil)
                let error = await apiError { _ = try await client.readBlockDocument(named: "no", ofType: "secret") }
                #expect(error?.isNotFound == true)
            }
        }
    }
}
