import BackendKit
import PrefectClient
import PrefectJSON
import Synchronization
import TestSupport
import Testing
import WorkerKit

@Suite("Number of requests for a run", .serialized)
struct RequestTests {
    /// The ends of the paths of requests that do not count as requests for a run.
    private static let apart = ["/get_scheduled_flow_runs", "/heartbeat", "/logs/", "/events", "/csrf-token"]

    /// The numbers of the worker's requests for runs, by route.
    private func routes(_ api: FakePrefectAPI, _ runs: [String]) -> [String: Int] {
        var counts: [String: Int] = [:]
        for request in api.requests where !Self.apart.contains(where: request.path.hasSuffix) {
            guard let run = runs.first(where: request.path.contains) else {
                let isOfRuns = request.path.hasPrefix("/deployments/") || request.path.hasPrefix("/flows/")
                if isOfRuns { counts["GET \(request.path)", default: 0] += 1 }
                continue
            }
            counts["\(request.method) \(request.path.replacing(run, with: "{}"))", default: 0] += 1
        }
        return counts
    }

    @Test("with occasional 503 answers, a run costs about five changes and at most about one read on average")
    func budget() async throws {
        try await withPool { api, deployment in
            let runs = api.scheduleRuns(60, deployment: deployment)
            let count = Mutex(0)
            api.onRequest { request in
                let isTurnedAway = count.withLock { count in
                    count += 1
                    return count % 7 == 0
                }
                return isTurnedAway ? .status(503) : nil
            }
            let backend = FakeBackend {
                $0.runsFlowEngine = false
                $0.immediateEnd = { _ in ExitStatus(code: 0) }
            }
            try await withWorker(api, backend: backend, serve: { $0.limit = 10 }) { subject in
                try await eventually(within: .seconds(60), "all runs have ended") {
                    backend.startCount == 60 && subject.worker.registry.count == 0
                }
                let routes = routes(api, runs)
                // A run whose claim is more than half a second old is read. The number depends on the machine.
                let reads = routes.filter { $0.key == "GET /flow_runs/{}" }.values.reduce(0, +)
                #expect(Double(reads) / 60 < 1.5, "\(routes)")
                #expect(Double(routes.values.reduce(0, +) - reads) / 60 < 5.5, "\(routes)")
                #expect(routes["PATCH /flow_runs/{}/labels", default: 0] < 90, "\(routes)")
                #expect(routes["GET /deployments/\(deployment.id)", default: 0] < 40, "\(routes)")
                for run in runs {
                    let known = api.run(run)
                    #expect(known?.labels["prefect.worker.name"] == "tester")
                    #expect(known?.infrastructurePID == "fake:\(run)")
                }
                #expect(Set(backend.started) == Set(runs) && backend.startCount == 60)
            }
        }
    }

    @Test(
        "a run is not read after an end with a receipt or after the success of its own command",
        arguments: ["receipt", "receipt of a failure", "own command"])
    func readAfterEnd(end: String) async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let backend = FakeBackend {
                $0.runsFlowEngine = end != "own command"
                let status: BackendKit.ExitStatus =
                    switch end {
                    case "receipt": .reported("COMPLETED")
                    case "receipt of a failure": .reported("FAILED", code: 1)
                    default: ExitStatus(code: 0)
                    }
                $0.immediateEnd = { _ in status }
            }
            try await withWorker(api, backend: backend) { subject in
                try await eventually("the run has ended") { backend.calls.contains(.cleanUp(run)) }
                try await subject.waitUntilIdle()
                // On a slow machine, the run is also read before it is submitted.
                let requests = api.requests
                let submission = try #require(requests.lastIndex { $0.body["state"]?["name"] == "Submitting" })
                #expect(!requests[submission...].contains { $0.method == "GET" && $0.path == "/flow_runs/\(run)" })
            }
        }
    }

    @Test("runs of one poll share the read of their deployment, and a later run reads it again")
    func sharedDeployment() async throws {
        try await withPool { api, deployment in
            let path = "/deployments/\(deployment.id)"
            api.scheduleRuns(10, deployment: deployment)
            try await withWorker(api, serve: { $0.limit = 10 }) { subject in
                try await eventually("all runs have started") { subject.backend.watched.count == 10 }
                let shared = api.requests("GET", path).count
                #expect(shared <= 2)
                for run in subject.backend.started { subject.backend.finish(run, .reported("COMPLETED")) }
                try await subject.waitUntilIdle()
                let later = api.scheduleRun(deployment: deployment)
                try await eventually("the run has started") { subject.backend.started.last == later }
                #expect(api.requests("GET", path).count > shared)
            }
        }
    }

    @Test("labels that a run has from an earlier attempt are not sent again")
    func labelsOnce() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            try await withWorker(api) { subject in
                for attempt in 1...2 {
                    try await eventually("the run has started") { subject.backend.watched.count == attempt }
                    try await api.waitUntil("the run has labels") {
                        $0.run(run)?.labels["prefect.worker.name"] == "tester"
                    }
                    api.setState(of: run, to: .running)
                    // The flow waits for its next attempt outside this process.
                    api.setState(of: run, to: .scheduled)
                    subject.backend.finish(run, .reported("SCHEDULED"))
                }
                try await eventually("the run has started again") { subject.backend.startCount == 3 }
                #expect(api.requests("PATCH", "/flow_runs/\(run)/labels").count == 1)
            }
        }
    }

    @Test("a look for other workers that a busy server refuses is repeated before claims are settled by marks")
    func busyLook() async throws {
        try await withPool { api, deployment in
            try await withWorker(api, serve: { $0.heartbeatInterval = .seconds(600) }) { subject in
                try await api.waitUntil("the pool is polled") {
                    !$0.requests("POST", "*/get_scheduled_flow_runs").isEmpty
                }
                let refused = api.script(path: "/work_pools/p/workers/filter", times: 1, answer: .status(503))
                let run = api.scheduleRun(deployment: deployment)
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                #expect(refused.uses == 1)
                #expect(api.requests("POST", "/flow_runs/\(run)/input").isEmpty)
            }
        }
    }
}
