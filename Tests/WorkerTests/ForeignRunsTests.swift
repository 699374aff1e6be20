import BackendKit
import PrefectClient
import PrefectConcurrency
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@testable import WorkerKit

@Suite("Runs of other workers at the API")
struct OtherRunsTests {
    @Test("other workers' runs are in flight while pending or running, and a label without a run id is ignored")
    func inFlight() async throws {
        try await withPool { api, _ in
            let flow = api.addFlow(name: "others")
            let kinds: [FakeState.Kind] = [.pending, .running, .cancelling, .crashed, .completed]
            let runs = kinds.map { api.addRun(flow: flow, state: $0) }
            try await withWorker(api) { worker in
                let others = ForeignRunsOfAPI(services: worker.services, served: ObservedValue([worker.worker]))
                let before = api.requests("POST", "/flow_runs/filter").count
                let inFlight = try await others.inFlight(among: runs + ["no-id"])
                #expect(inFlight == Set(runs[0..<2]))
                #expect(api.requests("POST", "/flow_runs/filter").count == before + 1)
            }
        }
    }

    @Test("only the first worker that marks a run may report the run's crash")
    func marks() async throws {
        try await withPool { api, _ in
            let run = api.addRun(flow: api.addFlow(name: "others"), state: .running)
            try await withWorker(api) { worker in
                let first = ForeignRunsOfAPI(services: worker.services, served: ObservedValue([worker.worker]))
                let second = ForeignRunsOfAPI(services: worker.services, served: ObservedValue([worker.worker]))
                var marks: [Bool] = []
                for worker in [first, second, first] { marks.append(try await worker.writeMark("job", onFlowRun: run)) }
                #expect(marks == [true, false, true])
            }
        }
    }

    private final class Found: Sendable {
        let jobs = Mutex<[PoolJobs]>([])

        func add(_ next: PoolJobs) { jobs.withLock { $0.append(next) } }
        var all: [PoolJobs] { jobs.withLock { $0 } }
    }

    @Test("only pools of the requested type are searched, with all their deployments, once the API has described them")
    func pools() async throws {
        try await withPool { api, _ in
            let pool = try #require(api.pool("p"))
            let flow = api.addFlow(name: "many")
            for index in 0..<205 {
                _ = api.addDeployment(
                    name: "d\(index)", flow: flow, pool: pool, jobVariables: ["working_dir": .string("/\(index)")])
            }
            _ = api.addDeployment(name: "other", flow: flow, pool: api.addPool(name: "q"))
            try await withWorker(api) { worker in
                let others = ForeignRunsOfAPI(services: worker.services, served: ObservedValue([worker.worker]))
                let found = Found()
                // Pools may be added at any time, so the search ends only with its task.
                let looking = Task {
                    async let none: Void = others.forEachPool(ofType: "kubernetes") { found.add($0) }
                    await others.forEachPool(ofType: "process") { found.add($0) }
                    await none
                }
                try await eventually("a pool is found") { !found.all.isEmpty }
                looking.cancel()
                await looking.value
                #expect(found.all.count == 1)
                let jobs = try #require(found.all.first)
                #expect(jobs.pool == "p" && jobs.id == pool.id)
                let parts = try await jobs.parts(["working_dir"])
                #expect(parts.count == 206)
                #expect(parts.first?.source == "the template of work pool 'p'")
                #expect(parts.contains { $0.fields["working_dir"] == "/204" && $0.source == "deployment 'd204'" })
            }
        }
    }

    @Test(
        "pending infrastructure of many runs is reported with one look at all, and a reading only of those unreported")
    func pending() async throws {
        try await withPool { api, _ in
            let flow = api.addFlow(name: "others")
            let kinds: [FakeState.Kind] = [.pending, .running, .pending, .completed]
            let runs =
                kinds.map { api.addRun(flow: flow, state: $0) } + ["00000000-0000-4000-8000-000000000000", "no-id"]
            try await withWorker(api) { worker in
                let others = ForeignRunsOfAPI(services: worker.services, served: ObservedValue([worker.worker]))
                let answering = Task { await others.run() }
                defer { answering.cancel() }
                func report() async {
                    await withTaskGroup(of: Bool.self) { group in
                        for run in runs {
                            let reporter = others.reporter(ofFlowRun: run, name: run, related: [])
                            group.addTask { await reporter.reportPending("the pod is pending") }
                        }
                        for await isSettled in group { #expect(isSettled) }
                    }
                }
                let before = api.requests("POST", "/flow_runs/filter").count
                await report()
                #expect(
                    runs[0..<4].map { api.stateHistory(of: $0).contains("InfrastructurePending") } == [
                        true, false, true, false,
                    ])
                let reads = runs.map { api.requests("GET", "/flow_runs/\($0)").count }
                #expect(reads[1] == 0 && reads[3] == 0 && reads[4] == 0)
                // Another worker's report is found by the look.
                await report()
                #expect(runs.map { api.requests("GET", "/flow_runs/\($0)").count } == reads)
                #expect((2...4).contains(api.requests("POST", "/flow_runs/filter").count - before))
            }
        }
    }
}
