import BackendKit
import HTTPTransport
import JobTemplates
import Logging
import PrefectClient
import PrefectJSON
import TestSupport
import Testing
import WorkerKit

@Suite("Keeping a work pool up to date", .serialized)
struct PoolSyncTests {
    @Test("a pool that is missing is created, with its template and its queues")
    func createsPool() async throws {
        try await withFakePrefectAPI { api in
            try await withWorker(api, serve: { $0.queues = ["high", "low"] }) { subject in
                try await api.waitUntil("the pool, its queues and its worker exist") {
                    $0.queue("high", pool: "p") != nil && $0.queue("low", pool: "p") != nil
                        && $0.pool("p")?.workers.isEmpty == false
                }
                let pool = try #require(api.pool("p"))
                #expect(pool.type == "process")
                #expect(pool.baseJobTemplate == FakeBackend.traits.baseJobTemplate.json)
                #expect(pool.workers.map(\.name) == ["tester"])
                #expect(subject.log.contains("Work pool 'p' created."))
                let create = try #require(api.requests("POST", "/work_pools/").first)
                #expect(create.body == ["name": "p", "type": "process"])
                // Later heartbeats do not create the pool or a queue a second time.
                try await api.waitUntil("more heartbeats have arrived") {
                    ($0.pool("p")?.workers.first?.heartbeats ?? 0) >= 3
                }
                #expect(api.requests("POST", "/work_pools/p/queues").count == 2)
                #expect(api.requests("POST", "/work_pools/").count == 1)
            }
        }
    }

    @Test(
        "no poll is sent before the first accepted heartbeat, unless the API refuses heartbeats altogether",
        arguments: [503, 403])
    func heartbeatFirst(status: Int) async throws {
        try await withFakePrefectAPI { api in
            let pool = api.addPool(name: "p")
            let run = api.scheduleRun(deployment: api.addDeployment(name: "d", pool: pool))
            let refusals = api.script(
                method: "POST", path: "*/workers/heartbeat", times: 2, answer: .status(status))
            try await withWorker(api, serve: { $0.heartbeatInterval = .seconds(600) }) { subject in
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                let steps = api.requests.map(\.path).filter {
                    $0.hasSuffix("/workers/heartbeat") || $0.hasSuffix("/get_scheduled_flow_runs")
                }
                let before = steps.prefix { $0.hasSuffix("/workers/heartbeat") }.count
                #expect(status == 503 ? before == 3 && refusals.uses == 2 : before == 1)
            }
        }
    }

    @Test("a new pool is created with the template that the user provides")
    func ownTemplate() async throws {
        try await withFakePrefectAPI { api in
            try await withWorker(api, serve: { $0.baseJobTemplate = FakePrefectAPI.processTemplate }) { _ in
                try await api.waitUntil("the pool exists and has the worker") { $0.pool("p")?.workers.isEmpty == false }
                #expect(api.pool("p")?.baseJobTemplate == FakePrefectAPI.processTemplate)
                #expect(api.requests("PATCH", "/work_pools/p").isEmpty)
            }
        }
    }

    @Test("a pool that the worker may not create is awaited, and reported as missing once")
    func waitsForPool() async throws {
        try await withFakePrefectAPI { api in
            try await withWorker(api, serve: { $0.createsPool = false }) { subject in
                try await api.waitUntil("the pool is looked for again") {
                    $0.requests("GET", "/work_pools/p").count >= 3
                }
                #expect(api.pools.isEmpty)
                #expect(subject.log.messages(.warning).filter { $0.contains("does not exist") }.count == 1)
                #expect(subject.daemon.reasonNotReady?.contains("'p' does not exist") == true)
                let pool = api.addPool(name: "p")
                let run = api.scheduleRun(deployment: api.addDeployment(name: "d", pool: pool))
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                #expect(subject.daemon.reasonNotReady == nil)
            }
        }
    }

    @Test("a worker ends with the reason when the API refuses to create its pool")
    func refusedPool() async throws {
        try await withFakePrefectAPI { api in
            let refusal: JSONValue = [
                "exception_message": "Invalid request received.",
                "exception_detail": [["loc": ["body", "name"], "msg": "String should match pattern"]],
            ]
            api.script(method: "POST", path: "/work_pools/", answer: .status(422, body: refusal))
            try await withWorker(api) { subject in
                try await subject.waitForEnd()
                #expect(
                    subject.shutdown.refusal
                        == "Work pool 'p' cannot be created: POST /work_pools/: the API does not accept these values "
                        + "(422: name: String should match pattern)")
                #expect(!subject.log.contains("started!"))
            }
            #expect(api.requests("POST", "/work_pools/").count == 1)
        }
    }

    @Test("a pool is created, and the worker counts as started, only once runs of the pool could be started")
    func creatable() async throws {
        try await withFakePrefectAPI { api in
            let isWell = Gate()
            let backend = FakeBackend { $0.problem = { isWell.isOpen ? nil : "the Engine is away" } }
            try await withWorker(api, backend: backend) { subject in
                try await eventually("the daemon reports the reason") {
                    subject.daemon.reasonNotReady?.contains("is not created yet: the Engine is away") == true
                }
                #expect(api.pools.isEmpty && !subject.log.contains("started!"))
                isWell.open()
                try await api.waitUntil("the pool is created") { $0.pool("p") != nil }
                try await eventually("the worker has started") { subject.log.contains("started!") }
                #expect(subject.log.messages(.warning).filter { $0.contains("is not created yet") }.count == 1)
            }
        }
    }

    @Test("a problem that affects only some runs does not prevent the creation of the pool")
    func partialProblem() async throws {
        try await withFakePrefectAPI { api in
            let backend = FakeBackend {
                $0.problem = { "events cannot be listed" }
                $0.problemIsPartial = true
            }
            try await withWorker(api, backend: backend) { _ in
                try await api.waitUntil("the pool is created") { $0.pool("p") != nil }
            }
        }
    }

    @Test("heartbeats contain the worker's name and an interval in whole seconds")
    func heartbeats() async throws {
        try await withPool { api, _ in
            try await withWorker(api) { _ in
                try await api.waitUntil("several heartbeats have arrived") {
                    ($0.pool("p")?.workers.first?.heartbeats ?? 0) >= 3
                }
                let bodies = api.requests("POST", "*/workers/heartbeat").map(\.body)
                #expect(bodies.allSatisfy { $0 == ["name": "tester", "heartbeat_interval_seconds": 1] })
            }
        }
    }

    @Test("on Cloud the worker requests its id once and sends it in headers and logs")
    func cloudID() async throws {
        var configuration = FakeAPIConfiguration()
        configuration.isCloud = true
        try await withPool(configuration: configuration) { api, deployment in
            try await withWorker(api, isCloud: true) { subject in
                try await api.waitUntil("several heartbeats have arrived") {
                    ($0.pool("p")?.workers.first?.heartbeats ?? 0) >= 3
                }
                let id = try #require(api.pool("p")?.workers.first?.id)
                let heartbeats = api.requests("POST", "*/workers/heartbeat")
                #expect(heartbeats.filter { $0.body["return_id"] == true }.count == 1)
                #expect(heartbeats[0].body["metadata"] == ["integrations": []])
                #expect(heartbeats[0].header("X-Prefect-Worker-Id") == nil)
                #expect(heartbeats[1].header("X-Prefect-Worker-Id") == id)
                #expect(subject.worker.state.workerID == id)
                let run = api.scheduleRun(deployment: deployment)
                try await api.waitUntil("the run's log has the worker's id") { state in
                    state.logs.contains {
                        $0["flow_run_id"]?.stringValue == run && $0["worker_id"]?.stringValue == id
                    }
                }
                try await eventually("the run's configuration has the worker's id") {
                    subject.backend.contexts.first?.workerID == id
                }
            }
        }
    }

    @Test("an API without support for worker ids receives plain heartbeats")
    func cloudWithoutID() async throws {
        try await withPool { api, _ in
            api.onRequest { request in
                request.body["return_id"] == true ? .status(422, body: ["detail": "unknown field"]) : nil
            }
            try await withWorker(api, isCloud: true) { _ in
                try await api.waitUntil("a heartbeat is accepted") { $0.pool("p")?.workers.isEmpty == false }
            }
        }
    }

    @Test("a paused pool is reported as paused once, and served when it is resumed")
    func paused() async throws {
        try await withPool { api, deployment in
            api.setPaused(true, pool: "p")
            let run = api.scheduleRun(deployment: deployment)
            try await withWorker(api) { subject in
                try await api.waitUntil("the pool is polled") {
                    $0.requests("POST", "*/get_scheduled_flow_runs").count >= 3
                }
                #expect(api.run(run)?.stateName == "Scheduled")
                #expect(subject.log.messages(.warning).filter { $0.contains("is paused") }.count == 1)
                api.setPaused(false, pool: "p")
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                try await eventually("the log reports the end of the pause") {
                    subject.log.contains("no longer paused")
                }
            }
        }
    }

    @Test(
        "a pool of another type is not polled",
        arguments: ["docker", "ecs:push", "prefect:managed", "prefect-agent"])
    func otherType(type: String) async throws {
        try await withFakePrefectAPI { api in
            let pool = api.addPool(name: "p", type: type)
            let run = api.scheduleRun(deployment: api.addDeployment(name: "d", pool: pool))
            try await withWorker(api) { subject in
                try await api.waitUntil("the pool is read again") { $0.requests("GET", "/work_pools/p").count >= 3 }
                #expect(api.requests("POST", "*/get_scheduled_flow_runs").isEmpty)
                #expect(api.run(run)?.stateName == "Scheduled")
                let problems = subject.log.messages(.error)
                #expect(problems.count == 1)
                #expect(problems.first?.contains("'\(type)'") == true)
                #expect(subject.daemon.reasonNotReady == problems.first)
            }
        }
    }

    @Test("a deleted pool is created again with its queues, and served")
    func recreated() async throws {
        try await withFakePrefectAPI { api in
            try await withWorker(api, serve: { $0.queues = ["fast"] }) { subject in
                try await api.waitUntil("the pool is polled") {
                    !$0.requests("POST", "*/get_scheduled_flow_runs").isEmpty
                }
                let before = api.pool("p")?.id
                api.removePool("p")
                try await api.waitUntil("the pool and its queue exist again") {
                    $0.pool("p").map { $0.id != before } == true && $0.queue("fast", pool: "p") != nil
                }
                let pool = try #require(api.pool("p"))
                let run = api.scheduleRun(deployment: api.addDeployment(name: "d", pool: pool, queue: "fast"))
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                try await api.waitUntil("the run's labels name the new pool") {
                    $0.run(run)?.labels["prefect.work-pool.id"]?.stringValue == pool.id
                }
                try await eventually("the worker is ready") { subject.daemon.reasonNotReady == nil }
            }
        }
    }

    @Test("a deleted pool is created again with its last template, not with the template for new pools")
    func recreatedWithTemplate() async throws {
        try await withFakePrefectAPI { api in
            var edited = FakePrefectAPI.processTemplate
            edited["job_configuration"]?["env"] = ["COLOUR": "blue"]
            try await withWorker(api, serve: { $0.baseJobTemplate = FakePrefectAPI.processTemplate }) { subject in
                try await api.waitUntil("the pool exists") { $0.pool("p") != nil }
                let template = edited
                let changes = WorkPoolUpdate { $0.baseJobTemplate = template.objectValue }
                try await withWorkerClient(api) { try await $0.updateWorkPool(named: "p", changes) }
                try await eventually("the worker knows the edited template") {
                    subject.worker.state.pool.map { .object($0.baseJobTemplate) } == template
                }
                let before = api.pool("p")?.id
                api.removePool("p")
                try await api.waitUntil("the pool exists again") { $0.pool("p").map { $0.id != before } == true }
                #expect(api.pool("p")?.baseJobTemplate == edited)
            }
        }
    }

    @Test(
        "one warning reports that all served queues are paused, whether or not the user names them",
        arguments: [[], ["default"], ["default", "fast"]])
    func pausedQueues(named: [String]) async throws {
        try await withPool { api, _ in
            let pool = try #require(api.pool("p"))
            api.addQueue(name: "fast", pool: pool)
            for name in ["default", "fast"] { try await pause(name, api) }
            try await withWorker(api, serve: { $0.queues = named }) { subject in
                try await api.waitUntil("more heartbeats have arrived") {
                    ($0.pool("p")?.workers.first?.heartbeats ?? 0) >= 3
                }
                let warnings = subject.log.messages(.warning).filter { $0.contains("paused") }
                #expect(warnings.count == 1)
                for name in named.isEmpty ? ["default", "fast"] : named {
                    #expect(warnings.first?.contains(name) == true)
                }
            }
        }
    }

    @Test("paused queues are not reported when a pool is served as a whole and has an active queue")
    func oneQueuePaused() async throws {
        try await withPool { api, _ in
            let pool = try #require(api.pool("p"))
            api.addQueue(name: "fast", pool: pool)
            try await pause("default", api)
            try await withWorker(api) { subject in
                try await api.waitUntil("the pool is polled") {
                    !$0.requests("POST", "*/get_scheduled_flow_runs").isEmpty
                }
                #expect(!subject.log.contains("paused"))
                #expect(api.requests("POST", "*/queues/filter").count == 1)
            }
        }
    }

    private func pause(_ queue: String, _ api: FakePrefectAPI) async throws {
        try await withWorkerClient(api) { client in
            let path: [APIPathPart] = ["work_pools", "p", "queues", .name(queue)]
            _ = try await client.send(APIRequest(.patch, path, body: ["is_paused": true]))
        }
    }

    @Test("a worker recovers after its API key is refused for a while, and logs at most one warning")
    func unauthorized() async throws {
        try await withPool { api, deployment in
            try await withWorker(api) { subject in
                let running = api.scheduleRun(deployment: deployment)
                try await api.waitUntil("the run has started") { $0.run(running)?.infrastructurePID != nil }
                api.configure { $0.authorization = "Bearer other" }
                try await eventually("the worker is not ready") {
                    subject.daemon.reasonNotReady?.contains("401") == true
                }
                let later = api.scheduleRun(deployment: deployment)
                #expect(subject.daemon.isAlive)
                api.configure { $0.authorization = nil }
                try await api.waitUntil("the next run has started") { $0.run(later)?.infrastructurePID != nil }
                #expect(subject.worker.registry.contains(running))
                #expect(subject.log.messages(.warning).filter { $0.contains("cannot be read") }.count <= 1)
            }
        }
    }
}

extension FakePrefectAPI {
    fileprivate var pools: [FakeWorkPool] { snapshot.pools }
}
