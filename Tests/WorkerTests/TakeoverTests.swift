import BackendKit
import FoundationEssentials
import PrefectClient
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@testable import WorkerKit

@Suite("Runs that a dead worker had only claimed")
struct TakeoverTests {
    /// Runs a worker until the API has accepted its claim, and then cancels the worker, so that nothing of it remains.
    /// The API counts the worker as offline afterwards.
    private func claimAndDie(_ name: String, _ api: FakePrefectAPI) async throws {
        try await withHeldConfiguration(api) { configuring in
            try await withWorker(api, serve: { $0.workerName = name }) { _ in
                try await eventually("the deployment is read") { configuring.uses == 1 }
                // The worker reads it already while it claims the run.
                try await api.waitUntil("the run is claimed") { $0.runs.contains { $0.stateType == .pending } }
            }
        }
        try await setOffline(name, api)
    }

    /// Has the API count a worker that has died as offline, after the worker's last heartbeat.
    private func setOffline(_ name: String, _ api: FakePrefectAPI) async throws {
        try await eventually("the worker's connections have ended") { api.openConnections == 0 }
        api.setOffline(worker: name, pool: "p")
    }

    /// Holds the next read of a deployment, by which a worker configures a run that it has claimed.
    private func withHeldConfiguration(
        _ api: FakePrefectAPI, _ body: (FaultScript) async throws -> Void
    ) async throws {
        let gate = Gate()
        let uses = api.script(method: "GET", path: "/deployments/*", times: 1, answer: .hold(gate))
        try await body(uses)
        gate.open()
    }

    /// Runs a worker that looks for orphaned claims often.
    private func withTaker(
        _ name: String, _ api: FakePrefectAPI, _ backend: FakeBackend,
        _ body: (WorkerUnderTest) async throws -> Void
    ) async throws {
        try await FakeBackend.$startsClaimOnce.withValue(true) {
            try await withWorker(
                api, backend: backend, takeoverInterval: .milliseconds(100), serve: { $0.workerName = name }, body)
        }
    }

    private func waitForStart(of run: String, _ api: FakePrefectAPI) async throws {
        try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
    }

    @Test("another worker starts the run, by the same claim")
    func another() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            try await claimAndDie("first", api)
            let claim = try #require(api.transition(of: run))
            let claims = Mutex<[String]>([])
            let backend = FakeBackend {
                $0.beforeStart = { workload in claims.withLock { $0.append(workload.run.claimID) } }
            }
            try await withTaker("second", api, backend) { subject in
                try await waitForStart(of: run, api)
                #expect(subject.log.contains("Worker 'second' takes over flow run"))
                backend.finish(run, ExitStatus(code: 3))
                try await subject.waitUntilIdle()
            }
            #expect(claims.withLock { $0 } == [claim])
            #expect(api.stateHistory(of: run) == ["Scheduled", "Pending", "Submitting", "Crashed"])
        }
    }

    @Test("the next process of a worker starts the run, although its state directory is lost")
    func sameName() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            try await claimAndDie("first", api)
            let backend = FakeBackend()
            try await withTaker("first", api, backend) { _ in try await waitForStart(of: run, api) }
            #expect(backend.started == [run])
        }
    }

    @Test("a run in the worker's own ledger is recovered from there alone")
    func ownLedger() async throws {
        let directory = try TemporaryDirectory()
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let gate = Gate()
            let dying = FakeBackend { $0.beforeStart = { _ in await gate.wait() } }
            try await withWorker(api, backend: dying, stateDirectory: directory.path) { _ in
                try await eventually("the run is being started") { dying.startCount == 1 }
            }
            gate.open()
            let backend = FakeBackend { $0.remains = { _ in .outOfReach } }
            try await FakeBackend.$startsClaimOnce.withValue(true) {
                try await withWorker(
                    api, backend: backend, takeoverInterval: .milliseconds(50), stateDirectory: directory.path
                ) { subject in
                    try await subject.waitUntilIdle()
                    api.forgetRequests()
                    try await waitForLooks(4, api)
                }
            }
            #expect(backend.calls.count { $0 == .remains(run) } == 1)
        }
    }

    @Test("only one of several workers starts the run")
    func once() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            try await claimAndDie("first", api)
            let (backend, other) = (FakeBackend(), FakeBackend())
            try await withTaker("second", api, backend) { second in
                try await withTaker("third", api, other) { third in
                    try await waitForStart(of: run, api)
                    api.forgetRequests()
                    try await waitForLooks(4, api)
                    #expect(second.worker.registry.count + third.worker.registry.count == 1)
                }
            }
            #expect(backend.started + other.started == [run])
        }
    }

    @Test("if the taker dies too, another one starts the run, and after a third death the run is given up")
    func deaths() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            try await claimAndDie("first", api)
            for name in ["second", "third"] {
                try await withHeldConfiguration(api) { configuring in
                    try await withTaker(name, api, FakeBackend()) { _ in
                        try await eventually("worker '\(name)' configures the run") { configuring.uses == 1 }
                    }
                }
                try await setOffline(name, api)
                #expect(api.run(run)?.stateType == .pending)
            }
            let backend = FakeBackend()
            try await withTaker("fourth", api, backend) { subject in
                try await api.waitUntil("the run is given up") { $0.run(run)?.stateType == .crashed }
                try await subject.waitUntilIdle()
            }
            #expect(backend.started.isEmpty)
            #expect(api.run(run)?.state?.message?.contains("died twice") == true)
        }
    }

    /// Why a run is no orphan.
    enum Reason: CaseIterable {
        case online
        case otherProgram
        case infrastructure
        case otherQueue
        case paused
        case lostClaim
    }

    @Test(
        "a run stays as it is, when it is no orphan or is not this worker's to start", arguments: Reason.allCases)
    func others(_ reason: Reason) async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            if reason == .otherProgram {
                // Python's workers make random ids.
                try await withWorkerClient(api) { client in
                    _ = try await client.propose(.pending, forFlowRun: UUID(id: run), transitionID: UUID().text)
                }
            } else {
                try await claimAndDie("first", api)
            }
            switch reason {
            case .online:
                try await withWorkerClient(api) { first in
                    _ = try await first.sendWorkerHeartbeat(workPool: "p", worker: "first", interval: .seconds(60))
                }
            case .infrastructure:
                try await withWorkerClient(api) { client in
                    try await client.updateFlowRun(id: UUID(id: run), FlowRunUpdate { $0.infrastructurePID = "x" })
                }
            case .paused: api.setPaused(true, pool: "p")
            case .lostClaim:
                // The API has accepted the claims of two workers, and that of the other one counts.
                try await withWorkerClient(api) { other in
                    _ = try await other.sendWorkerHeartbeat(workPool: "p", worker: "other", interval: .seconds(60))
                    let due = try #require(KnownRun(try await other.readFlowRun(id: UUID(id: run))).expectedStartTime)
                    let claim = ClaimIDs(by: ClaimOwner(workerName: "other")).claim
                    #expect(
                        try await other.writeUniqueInput(
                            flowRunID: UUID(id: run), key: RunMark.claim(dueAt: due), value: claim))
                }
            case .otherProgram, .otherQueue: break
            }
            let backend = FakeBackend()
            try await FakeBackend.$startsClaimOnce.withValue(true) {
                try await withWorker(
                    api, backend: backend, takeoverInterval: .milliseconds(50),
                    serve: {
                        $0.workerName = "second"
                        if reason == .otherQueue { $0.queues = ["other"] }
                    }
                ) { subject in
                    try await eventually("the worker has polled") { subject.worker.state.hasPolled }
                    if reason == .paused {
                        try await eventually("many heartbeats") { api.pool("p")?.heartbeats(of: "second") ?? 0 > 10 }
                        #expect(looks(api) == 0)
                    } else {
                        try await waitForLooks(4, api)
                    }
                    #expect(!subject.worker.registry.contains(run))
                }
            }
            #expect(backend.started.isEmpty)
            #expect(api.run(run)?.stateType == .pending)
        }
    }

    @Test("a backend whose starts are not unique for a claim leaves the run to the next process of its worker")
    func otherBackends() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            try await claimAndDie("first", api)
            api.forgetRequests()
            let backend = FakeBackend()
            try await withWorker(api, backend: backend, takeoverInterval: .milliseconds(20)) { subject in
                try await api.waitUntil("the worker has polled often") {
                    $0.requests("POST", "/work_pools/p/get_scheduled_flow_runs").count >= 10
                }
                #expect(looks(api) == 0)
            }
            #expect(backend.started.isEmpty && api.run(run)?.stateType == .pending)
        }
    }

    /// How often workers have looked for orphaned claims.
    private func looks(_ api: FakePrefectAPI) -> Int {
        api.requests("POST", "/flow_runs/filter").count { $0.body["flow_runs"]?["state"]?["name"] != nil }
    }

    private func waitForLooks(_ count: Int, _ api: FakePrefectAPI) async throws {
        try await eventually("\(count) looks for orphaned claims") { looks(api) >= count }
    }

    // MARK: Ids

    @Test("the ids of a claim name its worker, and each of them gives both")
    func ids() throws {
        let owner = ClaimOwner(workerName: "my-worker")
        let ids = ClaimIDs(by: owner)
        #expect(ids.owner == owner && ids.owner != ClaimOwner(workerName: "my-worker-2"))
        #expect(ids != ClaimIDs(by: owner))
        #expect(ClaimIDs(including: ids.claim) == ids && ClaimIDs(including: ids.submission) == ids)
        #expect(ids.claim != ids.submission)
        #expect(ids.claim == ids.claim.lowercased())
        let version = ids.claim.split(separator: "-")[2].first
        #expect(version == "8")
    }

    @Test("the first and the last digits of a worker's claims differ, because names are made from them")
    func digits() {
        let owner = ClaimOwner(workerName: "my-worker")
        let claims = (0..<50).map { _ in ClaimIDs(by: owner).claim }
        #expect(Set(claims.map { $0.prefix(7) }).count == 50)
        #expect(Set(claims.map { $0.suffix(12) }).count == 50)
    }

    @Test("an id that no worker of this kind made names no claim", arguments: ["", "text", UUID().uuidString])
    func foreignIDs(_ id: String) { #expect(ClaimIDs(including: id) == nil) }
}

extension FakeWorkPool {
    fileprivate func heartbeats(of worker: String) -> Int? { workers.first { $0.name == worker }?.heartbeats }
}

extension FakePrefectAPI {
    /// The id of the transition into a run's current state.
    fileprivate func transition(of run: String) -> String? {
        flowRun(run)["state"]?["state_details"]?["transition_id"]?.stringValue
    }
}
