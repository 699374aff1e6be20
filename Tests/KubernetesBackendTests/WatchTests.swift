import BackendKit
import BackendKitTesting
import OrderedCollections
import PrefectJSON
import PrefectREST
import TestSupport
import Testing

@testable import KubernetesBackend

@Suite("Failing watches")
struct WatchTests {
    /// Follows a run while its watch fails, and then lets the run succeed. Expects that no event is lost and that the
    /// failure does not end the run. Returns the requests to the API.
    private func endsWell(
        _ fields: JSONValue = [:], silence: Duration = .seconds(30), before prepare: (Workbench) -> Void = { _ in },
        _ trouble: (Workbench) async throws -> Void
    ) async throws -> [FakeKubernetesAPI.Request] {
        try await withWorkbench(silence: silence) { bench in
            prepare(bench)
            let status = try await bench.follow(bench.job(fields)) {
                try await bench.waitUntilWatched()
                try await trouble(bench)
                bench.api.putPod("p", ofJob: bench.jobName, phase: "Succeeded", state: ["terminated": ["exitCode": 0]])
                bench.api.finishJob(bench.jobName, "Complete")
            }
            #expect(status == BackendKit.ExitStatus(code: 0))
            return bench.api.requests
        }
    }

    private func lists(_ requests: [FakeKubernetesAPI.Request]) -> Int {
        requests.count { $0.path.hasSuffix("/jobs") && $0.method == "GET" && $0.query["watch"] == nil }
    }

    private func watches(_ requests: [FakeKubernetesAPI.Request]) -> [FakeKubernetesAPI.Request] {
        requests.filter { $0.path.hasSuffix("/jobs") && $0.query["watch"] == "true" }
    }

    @Test("a watch that ends is resumed at its last version, without a list")
    func ends() async throws {
        let requests = try await endsWell { bench in
            bench.api.put("jobs", ["metadata": ["name": "zz-of-nobody"]])
            bench.api.bookmark()
            bench.api.endWatches()
            try await eventually("the jobs are watched again") { watches(bench.api.requests).count >= 2 }
            try await bench.waitUntilWatched()
        }
        #expect(lists(requests) == 1)
        let versions = watches(requests).compactMap { $0.query["resourceVersion"].flatMap { Int($0) } }
        // On a busy machine the second watch may have to be started once more.
        #expect(versions.count >= 2 && versions[0] < versions[1] && versions == versions.sorted())
        #expect(requests.allSatisfy { $0.query["watch"] == nil || $0.query["allowWatchBookmarks"] == "true" })
        #expect(
            requests.allSatisfy { $0.query["watch"] == nil || $0.query["labelSelector"] == "prefect.io/flow-run-id" })
    }

    @Test("a watch whose version has expired starts again with a list")
    func expires() async throws {
        let requests = try await endsWell { bench in
            bench.api.expire()
            try await bench.waitUntilWatched()
        }
        #expect(lists(requests) == 2)
    }

    @Test("a watch that is silent for too long counts as dead and is started again")
    func silence() async throws {
        let requests = try await endsWell(silence: .seconds(1)) { bench in
            bench.api.silenceWatches(true)
            let before = bench.api.requests.count
            try await bench.api.waitUntil("the watches are started again") { api in
                api.requests.dropFirst(before).count { $0.query["watch"] == "true" } >= 2
            }
            bench.api.silenceWatches(false)
        }
        #expect(lists(requests) == 1)
    }

    @Test("a watch that breaks off in the middle of an event loses no event")
    func cut() async throws {
        let requests = try await endsWell { bench in
            bench.api.fail(RequestPattern(method: "GET", path: "*/jobs"), .cut(afterBytes: 60))
            bench.api.endWatches()
            try await bench.api.waitUntil("the watches are open again", timeout: .seconds(20)) { $0.openWatches == 2 }
        }
        #expect(watches(requests).count >= 3)
    }

    @Test("an API server that is absent for a time does not end a run", arguments: [true, false])
    func away(forgets: Bool) async throws {
        var absence = Duration.zero
        let requests = try await endsWell { bench in
            #expect(bench.backend.watchLag == .zero)
            let began = ContinuousClock.now
            await bench.api.goAway()
            if forgets { bench.api.expire() }
            try await eventually("the absence is logged") { !bench.log.messages().isEmpty }
            let lag = try #require(bench.backend.watchLag)
            #expect(lag > .zero)
            try await bench.api.comeBack()
            absence = ContinuousClock.now - began
            try await bench.api.waitUntil("the watches are open again", timeout: .seconds(20)) { $0.openWatches == 2 }
            if forgets { try await eventually("the watch has no lag") { bench.backend.watchLag == .zero } }
        }
        if forgets {
            #expect(lists(requests) == 2)
        } else if absence < .seconds(3) {
            // A watch that fails a fourth time, after 3.5 s at the earliest, starts with a list.
            #expect(lists(requests) == 1)
        }
    }

    @Test("the end of a job during an absence of the API server is reported afterwards")
    func endedWhileAway() async throws {
        try await withWorkbench { bench in
            let status = try await bench.follow(bench.job()) {
                try await bench.waitUntilWatched()
                await bench.api.goAway()
                bench.api.putPod("p", ofJob: bench.jobName, phase: "Failed", state: ["terminated": ["exitCode": 9]])
                bench.api.finishJob(bench.jobName, "Failed")
                bench.api.expire()
                try await bench.api.comeBack()
            }
            #expect(status.code == 9)
        }
    }

    @Test("a deletion that the watch missed is confirmed by a request, and then ends the run")
    func deletedWhileAway() async throws {
        try await withWorkbench { bench in
            let status = try await bench.follow(bench.job()) {
                try await bench.waitUntilWatched()
                let name = bench.jobName
                await bench.api.goAway()
                bench.api.remove("jobs", name)
                bench.api.expire()
                try await bench.api.comeBack()
            }
            #expect(status.code == nil)
            #expect(status.reason?.contains("was deleted") == true)
            #expect(bench.api.requests.contains { $0.method == "GET" && $0.path.contains("/jobs/otter-") })
        }
    }

    @Test("connections on which many requests were silent are replaced once")
    func silentTogether() async throws {
        try await withFakeKubernetesAPI { api in
            let access = try Kubeconfig(YAMLDocument.parse(api.kubeconfig()), name: "f", directory: "/").access()
            let client = try KubernetesClient(access, environment: [:])
            let first = client.connections
            client.noteSilence(of: first)
            let second = client.connections
            #expect(second !== first)
            client.noteSilence(of: first)
            #expect(client.connections === second)
        }
    }

    @Test("a list that expires between two pages is read again, and finally in one piece")
    func listExpires() async throws {
        try await withFakeKubernetesAPI { api in
            for number in 0..<25 { api.put("jobs", ["metadata": ["name": .string("j\(number)")]]) }
            let access = try Kubeconfig(YAMLDocument.parse(api.kubeconfig()), name: "f", directory: "/").access()
            let client = try KubernetesClient(access, environment: [:])
            var names: Set<String> = []
            func read() async throws -> String {
                names = []
                return try await client.list(.jobs, Selection(namespace: "default"), pageSize: 10) {
                    names.insert($0["metadata"]?["name"]?.stringValue ?? "")
                }
            }
            #expect(try await read() == "26")
            #expect(names.count == 25)
            #expect(api.requests.map { $0.query["limit"] } == ["10", "10", "10"])
            // The second page of the first attempt and of the second attempt fails.
            api.fail(RequestPattern(method: "GET", path: "*/jobs"), .answer(410, reason: "Expired"), times: 2)
            _ = try await read()
            #expect(names.count == 25)
            #expect(api.requests.last?.query["limit"] == nil)
            api.fail(RequestPattern(method: "GET", path: "*/jobs"), .cut(afterBytes: 300))
            let error = await #expect(throws: KubernetesError.self) { try await read() }
            #expect(error?.isTransient == true)
        }
    }

    @Test("without permission to list or watch jobs, each job is requested individually")
    func forbidden() async throws {
        try await withWorkbench { bench in
            bench.api.forbid("list jobs", "watch jobs", "list pods", "watch pods", "get pods/log")
            let status = try await bench.follow(bench.job()) {
                try await bench.api.waitUntil("the job is requested") {
                    !$0.requests("GET", "/jobs/\(bench.jobName)").isEmpty
                }
                bench.api.finishJob(bench.jobName, "Failed", reason: "BackoffLimitExceeded")
            }
            #expect(status.code == nil)
            #expect(status.reason?.contains("BackoffLimitExceeded") == true)
            #expect(bench.log.messages().contains { $0.contains("may not list jobs") })
            #expect(bench.log.messages().contains { $0.contains("may not list pods") })
        }
    }

    @Test("a pod that does not start in time is explained by the cluster's events, and still waited for")
    func late() async throws {
        try await withWorkbench { bench in
            // The event exists before the job, because the events are read only once, after the time-out of one second.
            bench.api.put(
                "events",
                [
                    "metadata": ["name": "e"],
                    "involvedObject": ["name": .string("otter-" + JobName.suffix(claimID: "claim-1"))],
                    "type": "Warning",
                    "reason": "FailedCreate", "message": "pods is forbidden: exceeded quota: small",
                ])
            let status = try await bench.follow(bench.job(["pod_watch_timeout_seconds": 1])) {
                try await bench.waitUntilWatched()
                try await eventually("the run's log explains the delay") {
                    bench.reporter.lines.contains { $0.contains("exceeds a quota") && $0.contains("keeps waiting") }
                }
                bench.api.finishJob(bench.jobName, "Complete")
            }
            #expect(status.code == 0)
            #expect(bench.reporter.lines.count == 1)
        }
    }

    @Test("a job without any event for the length of its watch time-out is requested")
    func jobWatchTimeout() async throws {
        _ = try await endsWell(["job_watch_timeout_seconds": 1]) { bench in
            try await bench.api.waitUntil("the job is requested") {
                $0.requests("GET", "/jobs/\(bench.jobName)").count >= 2
            }
        }
    }

    @Test("a log that breaks off is resumed, with each line once")
    func logs() async throws {
        try await withWorkbench { bench in
            let status = try await bench.follow(bench.job()) {
                try await bench.waitUntilWatched()
                let lines = (0..<5).map { "2026-01-01T00:00:0\($0)Z line \($0)\n" }.joined()
                bench.api.setLog(lines, namespace: "default", pod: "p")
                bench.api.fail(RequestPattern(method: "GET", path: "*/log"), .cut(afterBytes: 70))
                bench.api.fail(RequestPattern(method: "GET", path: "*/log"), .answer(503))
                bench.api.putPod("p", ofJob: bench.jobName, phase: "Running", state: ["running": [:]])
                try await eventually("all lines are copied") { bench.output.text.contains("line 4") }
                bench.api.finishJob(bench.jobName, "Complete")
            }
            #expect(status.code == 0)
            #expect(bench.output.text == (0..<5).map { "line \($0)\n" }.joined())
            #expect(bench.api.requests("GET", "/log").last?.query["sinceTime"] == "2026-01-01T00:00:01Z")
        }
    }

    @Test("a log that is silent for too long is resumed, without a lost or repeated line")
    func quietLog() async throws {
        try await withWorkbench(silence: .seconds(1)) { bench in
            let status = try await bench.follow(bench.job()) {
                try await bench.waitUntilWatched()
                bench.api.setLog("2026-01-01T00:00:00Z one\n", namespace: "default", pod: "p")
                bench.api.fail(RequestPattern(method: "GET", path: "*/log"), .ignore)
                bench.api.putPod("p", ofJob: bench.jobName, phase: "Running", state: ["running": [:]])
                try await eventually("the log is resumed") { bench.output.text == "one\n" }
                bench.api.finishJob(bench.jobName, "Complete")
            }
            #expect(status.code == 0)
            #expect(bench.output.text == "one\n")
        }
    }

    @Test("neither adopted jobs nor a new list cost a request for each job, except for a job that a list lacks")
    func requests() async throws {
        try await withWorkbench { bench in
            let job = try bench.job()
            let identifiers = ["a", "b", "c"].map { InfrastructureIdentifier(rawValue: "default:\($0)") }
            for name in ["a", "b", "c"] {
                bench.api.put("jobs", ["metadata": ["name": .string(name), "labels": ["prefect.io/flow-run-id": "r"]]])
            }
            bench.api.finishJob("c", "Complete")
            for identifier in identifiers {
                await bench.backend.adopt(identifier, flowRunID: "r", flowRunName: "otter")
            }
            async let first = job.wait(for: identifiers[0])
            async let second = job.wait(for: identifiers[1])
            #expect(try await job.wait(for: identifiers[2]).code == 0)
            try await bench.waitUntilWatched()
            bench.api.expire()
            try await eventually("the jobs are listed again") { lists(bench.api.requests) == 2 }
            try await bench.waitUntilWatched()
            for name in ["a", "b"] { bench.api.finishJob(name, "Complete") }
            #expect(try await [first.code, second.code] == [0, 0])
            let requested = bench.api.requests.map(\.path).filter { $0.contains("/jobs/") }
            #expect(requested == ["/apis/batch/v1/namespaces/default/jobs/c"])
        }
    }

    @Test("a job is no longer watched after its cleanup")
    func lettingGo() async throws {
        try await withWorkbench { bench in
            let job = try bench.job()
            let identifier = try await job.start()
            try await bench.waitUntilWatched()
            bench.api.finishJob(bench.jobName, "Complete")
            _ = try await job.wait(for: identifier)
            #expect(bench.backend.clusters.ownCluster?.watch.isNeeded(.jobs, in: "default") == true)
            await job.cleanUp(identifier)
            #expect(bench.backend.clusters.ownCluster?.watch.isNeeded(.jobs, in: "default") == false)
        }
    }
}
