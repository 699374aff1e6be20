import JSON
import OrderedCollections
import PrefectAPI
import Synchronization
import TestSupport
import Testing
import Worker

@testable import KubernetesBackend

/// The runs of other workers, as a test says that they stand.
final class ScriptedRuns: OtherRuns {
    private struct State {
        var standings: [String: OtherRunStanding] = [:]
        var own: Set<String> = []
        var reporters: [String: RecordingReporter] = [:]
        var crashes: [String: [Worker.ExitStatus]] = [:]
        var questions = 0
        var marks: [String: Int] = [:]
        /// When the first mark was to be left on a run, and when its first crash was reported.
        var marked: [String: ContinuousClock.Instant] = [:]
        var crashed: [String: ContinuousClock.Instant] = [:]
        var leavesMarks = true
    }

    private let state = Mutex(State())

    func set(
        _ run: String, isInFlight: Bool = true, infrastructure: String? = nil, claimed: Timestamp? = nil
    ) {
        state.withLock {
            $0.standings[run] = OtherRunStanding(
                isInFlight: isInFlight, infrastructure: infrastructure, claimed: claimed)
        }
    }

    func take(_ run: String) { state.withLock { _ = $0.own.insert(run) } }

    func reporter(_ run: String) -> RecordingReporter? { state.withLock { $0.reporters[run] } }
    func crashes(_ run: String) -> [Worker.ExitStatus] { state.withLock { $0.crashes[run] ?? [] } }
    var questions: Int { state.withLock { $0.questions } }

    /// How often a mark was to be left on a run.
    func marks(_ run: String) -> Int { state.withLock { $0.marks[run] ?? 0 } }

    /// How long after the first mark the first crash of a run was reported.
    func patience(_ run: String) -> Duration? {
        state.withLock { state in
            guard let marked = state.marked[run], let crashed = state.crashed[run] else { return nil }
            return crashed - marked
        }
    }

    /// Another worker's marks are always first.
    func loseMarks() { state.withLock { $0.leavesMarks = false } }

    // MARK: OtherRuns

    private let pools: [PoolJobs]

    init(pools: [PoolJobs] = []) { self.pools = pools }

    func inFlight(among flowRunIDs: [String]) async throws -> Set<String> {
        state.withLock { state in
            state.questions += 1
            return Set(flowRunIDs.filter { state.standings[$0]?.isInFlight == true })
        }
    }

    func forEachPool(ofType workerType: String, _ body: @escaping @Sendable (PoolJobs) async -> Void) async {
        for pool in pools { await body(pool) }
    }

    func leaveMark(_ name: String, onFlowRun id: String) async throws -> Bool {
        state.withLock { state in
            state.marks[id, default: 0] += 1
            if state.marked[id] == nil { state.marked[id] = .now }
            return state.leavesMarks
        }
    }

    func isOwn(_ flowRunID: String) -> Bool { state.withLock { $0.own.contains(flowRunID) } }

    func standing(of flowRunID: String) async throws -> OtherRunStanding? {
        state.withLock { state in
            state.questions += 1
            return state.standings[flowRunID]
        }
    }

    func reporter(ofFlowRun id: String, name: String, related: [JSONValue]) -> any JobReporter {
        let reporter = RecordingReporter()
        state.withLock { $0.reporters[id] = reporter }
        return reporter
    }

    func reportCrash(ofFlowRun id: String, _ status: Worker.ExitStatus, reporter: any JobReporter) async throws {
        state.withLock { state in
            state.crashes[id, default: []].append(status)
            if state.crashed[id] == nil { state.crashed[id] = .now }
        }
    }
}

@Suite("The runs of other workers")
struct ObserverTests {
    private static let namespaces = ["PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES": "default"]

    private func withObserver(
        _ variables: [String: String] = namespaces, pools: [PoolJobs] = [],
        before prepare: (Workbench, ScriptedRuns) -> Void = { _, _ in },
        _ body: (Workbench, ScriptedRuns) async throws -> Void
    ) async throws {
        try await withWorkbench(environment: variables) { bench in
            let runs = ScriptedRuns(pools: pools)
            prepare(bench, runs)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await bench.backend.observe(runs) }
                try await body(bench, runs)
                group.cancelAll()
            }
        }
    }

    private func putJob(
        _ name: String, run: String, labels: [String: String] = [:], namespace: String = "default", _ bench: Workbench
    ) {
        var all: JSONValue = ["prefect.io/flow-run-id": .string(run), "prefect.io/flow-run-name": "lynx"]
        for (key, value) in labels { all[key] = .string(value) }
        bench.api.put("jobs", ["metadata": ["name": .string(name), "labels": all]], namespace: namespace)
    }

    private func fail(_ name: String, _ bench: Workbench) {
        bench.api.putPod("\(name)-p", ofJob: name, phase: "Failed", state: ["terminated": ["exitCode": 3]])
        bench.api.finishJob(name, "Failed", reason: "BackoffLimitExceeded")
    }

    /// Something that comes after all that was done before has been seen.
    private func waitUntilSeen(_ bench: Workbench, _ runs: ScriptedRuns) async throws {
        runs.set("marker")
        putJob("marker", run: "marker", bench)
        fail("marker", bench)
        try await eventually("the marker is told") { !runs.crashes("marker").isEmpty }
    }

    @Test("are left alone unless the settings ask for them")
    func unasked() async throws {
        try await withObserver([:]) { bench, runs in
            putJob("other", run: "r", bench)
            _ = try await bench.follow(bench.job()) {
                try await bench.waitUntilWatched()
                fail("other", bench)
                bench.api.finishJob(bench.jobName, "Complete")
            }
            #expect(runs.questions == 0)
        }
    }

    @Test("have their pods' events told, and crash when their job has failed and nobody says so")
    func crashes() async throws {
        try await withObserver { bench, runs in
            runs.set("r", infrastructure: "default:job")
            try await bench.waitUntilWatched()
            putJob("job", run: "r", bench)
            bench.api.putPod("job-p", ofJob: "job", phase: "Pending")
            bench.api.putPod("job-p", ofJob: "job", phase: "Running", state: ["running": [:]])
            bench.api.setLog("last words\n", namespace: "default", pod: "job-p")
            try await eventually("its events are told") {
                runs.reporter("r")?.events.map(\.name) == ["pending", "running"].map { "prefect.kubernetes.pod.\($0)" }
            }
            try await eventually("it is told that the run waits") { runs.reporter("r")?.pendingReports == 1 }
            #expect(runs.questions == 0)
            fail("job", bench)
            try await eventually("it has crashed") { !runs.crashes("r").isEmpty }
            #expect(runs.crashes("r").map(\.code) == [3])
            #expect(runs.crashes("r").first?.lastOutput == "last words\n")
            try await waitUntilSeen(bench, runs)
            #expect(runs.crashes("r").count == 1)
        }
    }

    @Test("that were there before are met, and those that had ended well or are over by then are let go")
    func met() async throws {
        try await withObserver { bench, runs in
            for name in ["crashed", "over", "well", "gone"] { putJob("job-\(name)", run: name, bench) }
            for name in ["crashed", "over"] { fail("job-\(name)", bench) }
            bench.api.finishJob("job-well", "Complete")
            runs.set("crashed", infrastructure: "default:job-crashed")
            runs.set("over", isInFlight: false)
            runs.set("gone", infrastructure: "default:job-gone")
        } _: { bench, runs in
            try await eventually("it has crashed") { !runs.crashes("crashed").isEmpty }
            bench.api.remove("jobs", "job-gone")
            try await eventually("the deleted one has crashed") { !runs.crashes("gone").isEmpty }
            #expect(runs.crashes("gone").first?.reason?.contains("was deleted") == true)
            try await waitUntilSeen(bench, runs)
            #expect(runs.crashes("over").isEmpty && runs.crashes("well").isEmpty)
            #expect(runs.reporter("over") == nil && runs.reporter("well") == nil)
        }
    }

    @Test("do not crash while anything speaks for them: their state, a newer claim, another job, this worker")
    func spared() async throws {
        let names = ["over", "moved", "claimed", "twin", "own"]
        try await withObserver { bench, runs in
            for name in names { putJob("job-\(name)", run: name, bench) }
            putJob("job-twin-2", run: "twin", bench)
            runs.set("over", isInFlight: false)
            runs.set("moved", infrastructure: "default:job-of-the-next-attempt")
            runs.set("claimed", infrastructure: "default:job-claimed", claimed: .now.adding(seconds: 60))
            runs.set("twin")
            runs.set("own")
            runs.take("own")
        } _: { bench, runs in
            try await bench.waitUntilWatched()
            for name in names { fail("job-\(name)", bench) }
            try await waitUntilSeen(bench, runs)
            #expect(names.flatMap { runs.crashes($0) }.isEmpty)
        }
    }

    @Test("of which the worker takes one are its own from then on")
    func takenOver() async throws {
        try await withObserver { bench, runs in
            let job = try bench.job()
            let name = JobName.name(in: job.configuration.manifest, claimID: job.claimID)
            putJob(name, run: "run-1", bench)
            runs.set("run-1")
            try await eventually("it is observed") { runs.reporter("run-1") != nil }
            let status = try await bench.follow(job) {
                bench.api.finishJob(name, "Failed", reason: "BackoffLimitExceeded")
            }
            #expect(status.reason?.contains("BackoffLimitExceeded") == true)
            try await waitUntilSeen(bench, runs)
            #expect(runs.crashes("run-1").isEmpty)
        }
    }

    @Test("are observed where they have the labels that are asked for, in the whole cluster if no namespaces are")
    func scope() async throws {
        let filters = ["PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_ADDITIONAL_LABEL_FILTERS": "team=a"]
        try await withObserver(filters) { bench, runs in
            for name in ["a", "b"] { putJob("job-\(name)", run: name, labels: ["team": name], namespace: "far", bench) }
        } _: { bench, runs in
            try await eventually("the one is met") { runs.reporter("a") != nil }
            // The worker's own runs need no watch besides.
            let status = try await bench.follow(bench.job()) {
                bench.api.finishJob(bench.jobName, "Complete")
            }
            #expect(status.code == 0)
            #expect(runs.reporter("b") == nil)
            let watched = bench.api.requests.filter { $0.query["watch"] == "true" }.map(\.path)
            #expect(Set(watched) == ["/apis/batch/v1/jobs", "/api/v1/pods"])
        }
    }

    @Test("of a served pool crash without any setting, when their job ends badly and no other worker reports them")
    func orphans() async throws {
        let own = ["prefect.io/work-pool-id": "pool-1"]
        try await withObserver([:], pools: [try poolJobs(id: "pool-1", in: "default")]) { bench, runs in
            for name in ["before", "over", "later", "deleted", "cancelled", "mine"] {
                putJob("job-\(name)", run: name, labels: own, bench)
                runs.set(name, isInFlight: !["over", "cancelled"].contains(name))
            }
            putJob("job-other", run: "other", labels: ["prefect.io/work-pool-id": "pool-2"], bench)
            runs.set("other")
            runs.take("mine")
            for name in ["before", "over", "other", "mine"] { fail("job-\(name)", bench) }
        } _: { bench, runs in
            try await eventually("the one that had failed has crashed") { !runs.crashes("before").isEmpty }
            #expect(runs.crashes("before").map(\.code) == [3])
            try await bench.api.waitUntil("jobs alone are watched") { $0.openWatches == 1 }
            fail("job-later", bench)
            for name in ["deleted", "cancelled"] { bench.api.remove("jobs", "job-\(name)") }
            try await eventually("both have crashed") {
                ["later", "deleted"].allSatisfy { runs.crashes($0).count == 1 }
            }
            putJob("job-last", run: "last", labels: own, bench)
            runs.set("last")
            fail("job-last", bench)
            try await eventually("the last has crashed") { !runs.crashes("last").isEmpty }
            for name in ["other", "over", "cancelled", "mine"] { #expect(runs.crashes(name).isEmpty, "\(name)") }
            for name in ["before", "later", "deleted"] {
                #expect(runs.crashes(name).count == 1 && runs.marks(name) == 1)
                #expect(runs.reporter(name)?.events.isEmpty == true && runs.reporter(name)?.lines.isEmpty == true)
            }
        }
    }

    @Test("are reported by the worker whose mark is first, and by another when that one does not")
    func marks() async throws {
        let own = ["prefect.io/work-pool-id": "pool-1"]
        try await withObserver([:], pools: [try poolJobs(id: "pool-1", in: "default")]) { bench, runs in
            runs.loseMarks()
            putJob("job", run: "r", labels: own, bench)
            runs.set("r")
            fail("job", bench)
        } _: { bench, runs in
            try await eventually("it has crashed all the same") { runs.crashes("r").count == 1 }
            // Four times the courtesy of these tests.
            let patience = try #require(runs.patience("r"))
            #expect(patience >= .milliseconds(200))
            #expect(runs.marks("r") == 1)
        }
    }

    @Test("that may not be listed in the whole cluster cost nothing of the worker's own")
    func refused() async throws {
        let asked = ["PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_ENABLED": "true"]
        try await withObserver(asked) { bench, _ in
            bench.api.forbid("list jobs in the cluster", "list pods in the cluster")
        } _: { bench, _ in
            let status = try await bench.follow(bench.job()) {
                try await bench.waitUntilWatched()
                bench.api.finishJob(bench.jobName, "Complete")
            }
            #expect(status.code == 0)
            #expect(bench.log.messages().count { $0.contains("in the cluster cannot be watched") } == 2)
        }
    }
}
