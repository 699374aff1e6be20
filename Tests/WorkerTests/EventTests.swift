import BackendKit
import PrefectClient
import PrefectJSON
import TestSupport
import Testing
import WorkerKit

@Suite("Events of the worker about its runs", .serialized)
struct EventTests {
    @Test("each run has a submitted and an executed event with all related resources")
    func events() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment, name: "lucky-cat", tags: ["own"])
            let backend = FakeBackend { $0.immediateEnd = { _ in ExitStatus(code: 3) } }
            try await withWorker(api, backend: backend) { subject in
                try await api.waitUntil("the events of the run have arrived") { $0.events.count == 3 }
                subject.shutdown.escalate()
                try await subject.waitForEnd()
                let pool = try #require(api.pool("p"))
                let worker: JSONValue = [
                    "prefect.resource.id": "prefect.worker.process.tester", "prefect.resource.name": "tester",
                    "prefect.version": "3.8.8", "prefect.worker-type": "process",
                ]
                #expect(
                    api.events.map { $0["event"]?.stringValue } == [
                        "prefect.worker.started", "prefect.worker.submitted-flow-run",
                        "prefect.worker.executed-flow-run", "prefect.worker.stopped",
                    ])
                #expect(api.events.allSatisfy { $0["resource"] == worker })
                let place: JSONValue = [
                    "prefect.resource.id": .string("prefect.work-pool.\(pool.id)"),
                    "prefect.resource.role": "work-pool", "prefect.resource.name": "p",
                ]
                #expect(api.events[0]["related"] == [place])
                #expect(api.events[0]["follows"] == .null)
                let related = try #require(api.events[1]["related"]?.arrayValue)
                #expect(
                    related.map { $0["prefect.resource.role"]?.stringValue } == [
                        "deployment", "flow", "flow-run", "tag", "tag", "tag", "work-pool",
                    ])
                #expect(related[0]["prefect.resource.id"]?.stringValue == "prefect.deployment.\(deployment.id)")
                #expect(related[1]["prefect.resource.name"] == "my-flow")
                #expect(related[2]["prefect.resource.id"]?.stringValue == "prefect.flow-run.\(run)")
                #expect(related[2]["prefect.resource.name"] == "lucky-cat")
                #expect(
                    related[3...5].map { $0["prefect.resource.id"]?.stringValue } == [
                        "prefect.tag.from-deployment", "prefect.tag.from-flow", "prefect.tag.own",
                    ])
                #expect(related[6] == place)
                let executed = api.events[2]
                #expect(executed["follows"] == api.events[1]["id"])
                let entry = try #require(executed["related"]?[2])
                #expect(entry["prefect.infrastructure.identifier"]?.stringValue == "fake:\(run)")
                #expect(entry["prefect.infrastructure.status-code"] == "3")
                #expect(api.events[3]["follows"] == api.events[0]["id"])
            }
        }
    }

    @Test(
        "a cancelled run has the same event that Prefect's runner sends",
        arguments: [true, false])
    func cancellation(flowDoesIt: Bool) async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment, name: "lucky-cat", tags: ["own", "from-deployment"])
            let backend = FakeBackend { if flowDoesIt { $0.statusOfStopped = .reported("CANCELLED", code: 0) } }
            try await withWorker(api, backend: backend) { subject in
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                api.setState(of: run, to: .running)
                api.setState(of: run, to: .cancelling)
                try await api.waitUntil("the executed event has arrived") { state in
                    state.events.contains { $0["event"] == "prefect.worker.executed-flow-run" }
                }
                let events = api.events.filter { $0["event"] == "prefect.runner.cancelled-flow-run" }
                #expect(events.count == 1)
                let event = try #require(events.first)
                let runner: JSONValue = [
                    "prefect.resource.id": "prefect.runner.standalone", "prefect.resource.name": "standalone",
                    "prefect.version": "3.8.8",
                ]
                #expect(event["resource"] == runner)
                #expect(event["payload"] == [:])
                #expect(event["follows"] == .null)
                let related: JSONValue = [
                    [
                        "prefect.resource.id": .string("prefect.deployment.\(deployment.id)"),
                        "prefect.resource.role": "deployment", "prefect.resource.name": "my-deployment",
                    ],
                    [
                        "prefect.resource.id": .string("prefect.flow.\(deployment.flowID)"),
                        "prefect.resource.role": "flow", "prefect.resource.name": "my-flow",
                    ],
                    [
                        "prefect.resource.id": .string("prefect.flow-run.\(run)"),
                        "prefect.resource.role": "flow-run", "prefect.resource.name": "lucky-cat",
                    ],
                    ["prefect.resource.id": "prefect.tag.from-deployment", "prefect.resource.role": "tag"],
                    ["prefect.resource.id": "prefect.tag.own", "prefect.resource.role": "tag"],
                ]
                #expect(event["related"] == related)
                let history = api.stateHistory(of: run)
                #expect(history.filter { $0 == "Cancelling" }.count == 1)
            }
        }
    }

    @Test(
        "a run that ends before it is stopped, or is cancelled before its start, has no cancellation event",
        arguments: [true, false])
    func noCancellation(isStarted: Bool) async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            if !isStarted {
                api.onRequest { request in
                    if request.path == "/deployments/\(deployment.id)", api.run(run)?.stateType == .pending {
                        api.setState(of: run, to: .cancelling)
                    }
                    return nil
                }
            }
            let stopping = Gate()
            let backend = FakeBackend { $0.holdStopped = stopping }
            try await withWorker(api, backend: backend) { subject in
                if isStarted {
                    try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                    api.setState(of: run, to: .running)
                    api.setState(of: run, to: .cancelling)
                    try await eventually("the run is being stopped") {
                        backend.calls.contains(.stop(run, grace: .seconds(5), .cancelled))
                    }
                    api.setState(of: run, to: .completed)
                    backend.finish(run, ExitStatus(code: 0))
                    stopping.open()
                } else {
                    try await api.waitUntil("the run is cancelled") { $0.run(run)?.stateType == .cancelled }
                }
                try await subject.waitUntilIdle()
                subject.shutdown.escalate()
                try await subject.waitForEnd()
                #expect(!api.events.contains { $0["event"] == "prefect.runner.cancelled-flow-run" })
            }
        }
    }

    @Test("each event of a run's infrastructure is related to the run and the worker and follows the previous event")
    func infrastructureEvents() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let backend = FakeBackend {
                $0.beforeStart = { job in
                    for name in ["created", "running"] {
                        job.reporter.emit(
                            event: "prefect.docker.container.\(name)",
                            resource: ["prefect.resource.id": "prefect.docker.container.1"], payload: [:])
                    }
                }
            }
            try await withWorker(api, backend: backend) { _ in
                let found = try await api.wait(for: "both infrastructure events") { state -> [JSONValue]? in
                    let events = state.events.filter {
                        $0["event"]?.stringValue?.hasPrefix("prefect.docker") == true
                    }
                    return events.count == 2 ? events : nil
                }
                #expect(found[0]["follows"] == .null)
                #expect(found[1]["follows"] == found[0]["id"])
                let roles = found[1]["related"]?.arrayValue?.compactMap { $0["prefect.resource.role"]?.stringValue }
                #expect(roles?.last == "worker")
                #expect(
                    found[1]["related"]?.arrayValue?.contains {
                        $0["prefect.resource.id"]?.stringValue == "prefect.flow-run.\(run)"
                    } == true)
            }
        }
    }

    /// The numbers of requests about runs, by route. Periodic requests and batches of logs and events do not count.
    private func requestsAboutRuns(_ api: FakePrefectAPI) -> [String: Int] {
        var counts: [String: Int] = [:]
        for request in api.requests where !request.path.hasPrefix("/work_pools") {
            let isBatch = request.path == "/logs/" || request.path == "/events"
            let isSocket = request.path.hasPrefix("/events/")
            guard !isBatch, !isSocket, request.path != "/flow_runs/filter", request.path != "/csrf-token" else {
                continue
            }
            let parts = request.path.split(separator: "/")
            let kind = ([request.method, String(parts.first ?? "")] + parts.dropFirst(2).map(String.init))
            counts[kind.joined(separator: " "), default: 0] += 1
        }
        return counts
    }

    @Test("a run costs five requests, and one more for each flow", arguments: [1, 40])
    func fewRequests(count: Int) async throws {
        try await withPool { api, deployment in
            let runs = api.scheduleRuns(count, deployment: deployment)
            try await withWorker(api) { subject in
                try await api.waitUntil("all runs have started and have labels") { state in
                    runs.allSatisfy { state.run($0)?.infrastructurePID != nil }
                        && state.requests("PATCH", "*/labels").count == count
                }
                for run in runs {
                    api.setState(of: run, to: .completed)
                    subject.backend.finish(run, .reported("COMPLETED"))
                }
                try await subject.waitUntilIdle()
                let counts = requestsAboutRuns(api)
                print("requests for \(count) runs: \(counts.sorted { $0.key < $1.key })")
                #expect(counts["POST flow_runs set_state"] == 2 * count)
                #expect(counts["PATCH flow_runs labels"] == count)
                #expect(counts["PATCH flow_runs"] == count)
                #expect(counts["GET flows"] == 1)
                #expect((counts["GET deployments"] ?? 0) <= count)
                // Runs that arrive together share the look for other workers and the read of their deployment.
                // A run whose claim is more than half a second old is read before it is submitted.
                let late = counts["GET flow_runs"] ?? 0
                #expect(late <= count)
                #expect(counts.values.reduce(0, +) - late <= 5 * count + 1)
            }
        }
    }
}

@Suite("Probes", .serialized)
struct ProbeTests {
    @Test("a starting or stopping worker is alive but not ready, and a serving worker is both")
    func stages() async throws {
        try await withPool { api, _ in
            let probes = WorkerProbes()
            #expect(probes.isAlive)
            #expect(probes.reasonNotReady == "the worker is starting")
            probes.setBeginning("looking for the work pool")
            #expect(probes.reasonNotReady == "looking for the work pool")
            let gate = Gate()
            api.script(method: "GET", path: "/work_pools/p", times: 1, answer: .hold(gate))
            try await withWorker(api) { subject in
                probes.setDaemon(subject.daemon)
                #expect(probes.isAlive)
                #expect(probes.reasonNotReady == "the work pool has not been read yet")
                gate.open()
                try await eventually("the worker is ready") { probes.reasonNotReady == nil }
                #expect(probes.isAlive)
                subject.shutdown.escalate()
                #expect(probes.reasonNotReady == "the worker is shutting down: draining, 0 flow runs in flight")
                try await subject.waitForEnd()
                #expect(probes.isAlive)
            }
        }
    }
}

@Suite("Discovery of the type of a pool", .serialized)
struct PoolDiscoveryTests {
    private func find(
        _ api: FakePrefectAPI, type: String? = nil, createsPool: Bool = true, name: String = "p"
    ) async throws -> String {
        try await withWorkerClient(api) { client in
            let discovery = PoolDiscovery(api: client, supportedTypes: ["process", "docker"])
            switch try await discovery.find(pool: name, type: type, createsPool: createsPool) {
            case .servable(let type, let pool, let notice):
                return "\(type) \(pool?.name ?? "none") \(notice == nil ? "quiet" : "notice")"
            case .refused(let reason): return "refused: \(reason)"
            case .unknown(let error): return "unknown: \(error)"
            }
        }
    }

    @Test("the type of the pool is used, and a type that the user names must match it")
    func types() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p", type: "docker")
            let found1 = try await find(api)
            #expect(found1 == "docker p notice")
            let found2 = try await find(api, type: "docker")
            #expect(found2 == "docker p quiet")
            let found3 = try await find(api, type: "process")
            #expect(found3.hasPrefix("refused:"))
            let found4 = try await find(api, type: "ecs")
            #expect(found4.contains("'ecs'"))
            api.addPool(name: "push", type: "ecs:push")
            let found5 = try await find(api, name: "push")
            #expect(found5.contains("Prefect Cloud"))
            api.addPool(name: "ecs", type: "ecs")
            let found6 = try await find(api, name: "ecs")
            #expect(found6.contains("this worker runs: process, docker"))
        }
    }

    @Test("a missing pool counts as a process pool, to be created or awaited, unless the user names another type")
    func missing() async throws {
        try await withFakePrefectAPI { api in
            let found7 = try await find(api)
            #expect(found7 == "process none notice")
            let found8 = try await find(api, createsPool: false)
            #expect(found8 == "process none quiet")
            let found9 = try await find(api, type: "docker")
            #expect(found9 == "docker none notice")
        }
    }

    @Test("wrong credentials are refused, and an unavailable API is awaited")
    func trouble() async throws {
        try await withFakePrefectAPI { api in
            api.script(times: 1, answer: .status(401))
            let found10 = try await find(api)
            #expect(found10.contains("PREFECT_API_KEY"))
            api.script(times: 1, answer: .status(503))
            let found11 = try await find(api)
            #expect(found11.hasPrefix("unknown:"))
            await api.goOffline()
            let found12 = try await find(api)
            #expect(found12.hasPrefix("unknown:"))
        }
    }

    @Test("an address without Prefect's routes is refused, an HTML page causes a wait, and a check rejects both")
    func otherServers() async throws {
        try await withFakePrefectAPI { api in
            let noRoute = Fault.status(404, body: ["detail": "Not Found"])
            let page = Fault.raw(
                Array("HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>".utf8))
            for (answer, start) in [(noRoute, "refused:"), (page, "unknown:")] {
                api.script(times: 1, answer: answer)
                let found = try await find(api)
                #expect(found.hasPrefix(start) && found.contains("PREFECT_API_URL must be the address"), "\(found)")
                let script = api.script(answer: answer)
                try await withWorkerClient(api) { client in
                    let check = await PoolCheck(api: client, pool: "p", queues: [], supportedTypes: ["process"]).run()
                    #expect(check.findings.map(\.isGood) == [false], "\(check.findings)")
                }
                script.end()
            }
        }
    }

    @Test("a check covers the API, the pool and the queues, and changes nothing")
    func check() async throws {
        try await withFakePrefectAPI { api in
            let pool = api.addPool(name: "p")
            api.addQueue(name: "q", pool: pool)
            try await withWorkerClient(api) { client in
                let good = await PoolCheck(api: client, pool: "p", queues: ["q"], supportedTypes: ["process"]).run()
                #expect(good.findings.map(\.isGood) == [true, true, true] && good.pool?.name == "p")
                let bad = await PoolCheck(api: client, pool: "p", queues: ["none"], supportedTypes: ["docker"]).run()
                #expect(bad.findings.map(\.isGood) == [true, false])
                let missing = await PoolCheck(api: client, pool: "x", queues: [], supportedTypes: ["process"]).run()
                #expect(missing.findings.map(\.isGood) == [true, true] && missing.pool == nil)
                #expect(missing.findings[1].detail == "'x' will be created by 'start', with the type 'process'")
                let queue = await PoolCheck(api: client, pool: "p", queues: ["new"], supportedTypes: ["process"]).run()
                #expect(queue.findings[2].detail == "'new' will be created by 'start'" && queue.findings[2].isGood)
                let none = await PoolCheck(api: client, pool: nil, queues: [], supportedTypes: ["process"]).run()
                #expect(none.findings.map(\.detail).last == "none was checked: name one with --pool")
            }
            #expect(api.requests.allSatisfy { $0.method == "GET" })
        }
    }
}
