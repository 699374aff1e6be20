import BackendKit
import BackendKitTesting
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@testable import KubernetesBackend

@Suite("Runs of other workers")
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

    /// Waits until a later change has been observed, and therefore all earlier changes too.
    private func waitUntilSeen(_ bench: Workbench, _ runs: ScriptedRuns) async throws {
        runs.set("marker")
        putJob("marker", run: "marker", bench)
        fail("marker", bench)
        try await eventually("the crash of the marker is reported") { !runs.crashes("marker").isEmpty }
    }

    @Test("runs of other workers are not observed unless the settings enable it")
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

    @Test("pod events of an observed run are reported, and the run crashes when its job fails unreported")
    func crashes() async throws {
        try await withObserver { bench, runs in
            runs.set("r", infrastructure: "default:job")
            try await bench.waitUntilWatched()
            putJob("job", run: "r", bench)
            bench.api.putPod("job-p", ofJob: "job", phase: "Pending")
            bench.api.putPod("job-p", ofJob: "job", phase: "Running", state: ["running": [:]])
            bench.api.setLog("last words\n", namespace: "default", pod: "job-p")
            try await eventually("the pod events are reported") {
                runs.reporter("r")?.events.map(\.name) == ["pending", "running"].map { "prefect.kubernetes.pod.\($0)" }
            }
            try await eventually("the run is reported as pending") { runs.reporter("r")?.pendingReports == 1 }
            #expect(runs.questions == 0)
            fail("job", bench)
            try await eventually("the run has crashed") { !runs.crashes("r").isEmpty }
            #expect(runs.crashes("r").map(\.code) == [3])
            #expect(runs.crashes("r").first?.lastOutput == "last words\n")
            try await waitUntilSeen(bench, runs)
            #expect(runs.crashes("r").count == 1)
        }
    }

    @Test("existing runs are observed, except those whose job has succeeded or that are already over")
    func met() async throws {
        try await withObserver { bench, runs in
            for name in ["crashed", "over", "well", "gone"] { putJob("job-\(name)", run: name, bench) }
            for name in ["crashed", "over"] { fail("job-\(name)", bench) }
            bench.api.finishJob("job-well", "Complete")
            runs.set("crashed", infrastructure: "default:job-crashed")
            runs.set("over", isInFlight: false)
            runs.set("gone", infrastructure: "default:job-gone")
        } _: { bench, runs in
            try await eventually("the failed run has crashed") { !runs.crashes("crashed").isEmpty }
            bench.api.remove("jobs", "job-gone")
            try await eventually("the run of the deleted job has crashed") { !runs.crashes("gone").isEmpty }
            #expect(runs.crashes("gone").first?.reason?.contains("was deleted") == true)
            try await waitUntilSeen(bench, runs)
            #expect(runs.crashes("over").isEmpty && runs.crashes("well").isEmpty)
            #expect(runs.reporter("over") == nil && runs.reporter("well") == nil)
        }
    }

    @Test("no crash is reported for a run that is over, newly claimed, in another job or this worker's own")
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

    @Test("an observed run that the worker claims is its own from then on")
    func takenOver() async throws {
        try await withObserver { bench, runs in
            let job = try bench.job()
            let name = JobName.name(in: job.configuration.manifest, claimID: job.run.claimID)
            putJob(name, run: "run-1", bench)
            runs.set("run-1")
            try await eventually("the run is observed") { runs.reporter("run-1") != nil }
            let status = try await bench.follow(job) {
                bench.api.finishJob(name, "Failed", reason: "BackoffLimitExceeded")
            }
            #expect(status.reason?.contains("BackoffLimitExceeded") == true)
            try await waitUntilSeen(bench, runs)
            #expect(runs.crashes("run-1").isEmpty)
        }
    }

    @Test("runs with the configured labels are observed, in the whole cluster if no namespaces are configured")
    func scope() async throws {
        let filters = ["PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_ADDITIONAL_LABEL_FILTERS": "team=a"]
        try await withObserver(filters) { bench, runs in
            for name in ["a", "b"] { putJob("job-\(name)", run: name, labels: ["team": name], namespace: "far", bench) }
        } _: { bench, runs in
            func watched() -> Set<String> {
                Set(bench.api.requests.filter { $0.query["watch"] == "true" }.map(\.path))
            }
            try await eventually("the run with the label is observed") { runs.reporter("a") != nil }
            try await eventually("jobs and pods are watched") { watched().count == 2 }
            // The worker's own runs need no additional watch.
            let status = try await bench.follow(bench.job()) {
                bench.api.finishJob(bench.jobName, "Complete")
            }
            #expect(status.code == 0)
            #expect(runs.reporter("b") == nil)
            #expect(watched() == ["/apis/batch/v1/jobs", "/api/v1/pods"])
        }
    }

    @Test("runs of a served pool crash without any setting when their job fails and no other worker reports them")
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
            try await eventually("the run of the failed job has crashed") { !runs.crashes("before").isEmpty }
            #expect(runs.crashes("before").map(\.code) == [3])
            try await bench.api.waitUntil("only jobs are watched") { $0.openWatches == 1 }
            fail("job-later", bench)
            for name in ["deleted", "cancelled"] { bench.api.remove("jobs", "job-\(name)") }
            try await eventually("both runs have crashed") {
                ["later", "deleted"].allSatisfy { runs.crashes($0).count == 1 }
            }
            putJob("job-last", run: "last", labels: own, bench)
            runs.set("last")
            fail("job-last", bench)
            try await eventually("the last run has crashed") { !runs.crashes("last").isEmpty }
            for name in ["other", "over", "cancelled", "mine"] { #expect(runs.crashes(name).isEmpty, "\(name)") }
            for name in ["before", "later", "deleted"] {
                #expect(runs.crashes(name).count == 1 && runs.marks(name).count == 1)
                #expect(runs.reporter(name)?.events.isEmpty == true && runs.reporter(name)?.lines.isEmpty == true)
            }
        }
    }

    @Test("a worker whose mark is not the first waits for the report, and reports only with the first of a later mark")
    func marks() async throws {
        let own = ["prefect.io/work-pool-id": "pool-1"]
        try await withObserver([:], pools: [try poolJobs(id: "pool-1", in: "default")]) { bench, runs in
            runs.loseMarks(2)
            putJob("job", run: "r", labels: own, bench)
            runs.set("r")
            fail("job", bench)
        } _: { bench, runs in
            try await eventually("the run has crashed") { runs.crashes("r").count == 1 }
            // Each delay is four times the `orphanGrace` of these tests.
            let patience = try #require(runs.patience("r"))
            #expect(patience >= .milliseconds(400))
            #expect(runs.marks("r").count == 3 && Set(runs.marks("r")).count == 3, "\(runs.marks("r"))")
        }
    }

    @Test("missing cluster-wide list permission does not affect the worker's own runs")
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
