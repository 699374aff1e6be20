import JSON
import OrderedCollections
import TestSupport
import Testing
import Worker

@testable import KubernetesBackend

@Suite("Watches that go wrong")
struct WatchTests {
    /// Follows a run while something happens to its watch, after which the run ends well; nothing may be lost and nothing
    /// may be taken for an end.
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
            #expect(status == Worker.ExitStatus(code: 0))
            return bench.api.requests
        }
    }

    private func lists(_ requests: [FakeKubernetesAPI.Request]) -> Int {
        requests.count { $0.path.hasSuffix("/jobs") && $0.method == "GET" && $0.query["watch"] == nil }
    }

    private func watches(_ requests: [FakeKubernetesAPI.Request]) -> [FakeKubernetesAPI.Request] {
        requests.filter { $0.path.hasSuffix("/jobs") && $0.query["watch"] == "true" }
    }

    @Test("one that ends goes on from where it was, without a list")
    func ends() async throws {
        let requests = try await endsWell { bench in
            bench.api.put("jobs", ["metadata": ["name": "zz-of-nobody"]])
            bench.api.bookmark()
            bench.api.endWatches()
            try await eventually("it is watched again") { watches(bench.api.requests).count >= 2 }
            try await bench.waitUntilWatched()
        }
        #expect(lists(requests) == 1)
        let versions = watches(requests).compactMap { $0.query["resourceVersion"].flatMap { Int($0) } }
        // On a busy machine the second watch may have to be begun once more.
        #expect(versions.count >= 2 && versions[0] < versions[1] && versions == versions.sorted())
        #expect(requests.allSatisfy { $0.query["watch"] == nil || $0.query["allowWatchBookmarks"] == "true" })
        #expect(
            requests.allSatisfy { $0.query["watch"] == nil || $0.query["labelSelector"] == "prefect.io/flow-run-id" })
    }

    @Test("one whose version is forgotten begins with a list")
    func expires() async throws {
        let requests = try await endsWell { bench in
            bench.api.expire()
            try await bench.waitUntilWatched()
        }
        #expect(lists(requests) == 2)
    }

    @Test("one that says nothing for too long is dead, and begun again")
    func silence() async throws {
        let requests = try await endsWell(silence: .seconds(1)) { bench in
            bench.api.silenceWatches(true)
            let before = bench.api.requests.count
            try await bench.api.waitUntil("the watches are begun again") { api in
                api.requests.dropFirst(before).count { $0.query["watch"] == "true" } >= 2
            }
            bench.api.silenceWatches(false)
        }
        #expect(lists(requests) == 1)
    }

    @Test("one that breaks off in the middle of an event loses none")
    func cut() async throws {
        let requests = try await endsWell { bench in
            bench.api.fail(RequestPattern(method: "GET", path: "*/jobs"), .cut(afterBytes: 60))
            bench.api.endWatches()
            try await bench.api.waitUntil("it is begun again", timeout: .seconds(20)) { $0.openWatches == 2 }
        }
        #expect(watches(requests).count >= 3)
    }

    @Test("an API server that goes away and comes back is no end of any run", arguments: [true, false])
    func away(forgets: Bool) async throws {
        var absence = Duration.zero
        let requests = try await endsWell { bench in
            #expect(bench.backend.watchLag == .zero)
            let began = ContinuousClock.now
            await bench.api.goAway()
            if forgets { bench.api.expire() }
            try await eventually("somebody has noticed") { !bench.log.messages().isEmpty }
            let lag = try #require(bench.backend.watchLag)
            #expect(lag > .zero)
            try await bench.api.comeBack()
            absence = ContinuousClock.now - began
            try await bench.api.waitUntil("it is watched again", timeout: .seconds(20)) { $0.openWatches == 2 }
            if forgets { try await eventually("nothing is unwatched") { bench.backend.watchLag == .zero } }
        }
        if forgets {
            #expect(lists(requests) == 2)
        } else if absence < .seconds(3) {
            // A watch that fails a fourth time, after 3.5 s at the earliest, begins with a list.
            #expect(lists(requests) == 1)
        }
    }

    @Test("a job that ended while the API server was away is told when it is back")
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

    @Test("a deletion that was not seen is confirmed by asking, and then it is one")
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

    @Test("a list that is forgotten in its middle is read again, and at last in one piece")
    func listExpires() async throws {
        try await withFakeKubernetesAPI { api in
            for number in 0..<25 { api.put("jobs", ["metadata": ["name": .string("j\(number)")]]) }
            let access = try Kubeconfig(YAMLDocument.parse(api.kubeconfig()), name: "f", folder: "/").access()
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
            // The second page of the first attempt, and of the second.
            api.fail(RequestPattern(method: "GET", path: "*/jobs"), .answer(410, reason: "Expired"), times: 2)
            _ = try await read()
            #expect(names.count == 25)
            #expect(api.requests.last?.query["limit"] == nil)
            api.fail(RequestPattern(method: "GET", path: "*/jobs"), .cut(afterBytes: 300))
            let error = await #expect(throws: KubernetesError.self) { try await read() }
            #expect(error?.isTransient == true)
        }
    }

    @Test("one that is forbidden is done without: by lists, or by asking for each job")
    func forbidden() async throws {
        // Without lists the jobs of runs are asked for by themselves.
        try await withWorkbench { bench in
            bench.api.forbid("list jobs", "watch jobs", "list pods", "watch pods", "get pods/log")
            let status = try await bench.follow(bench.job()) {
                try await bench.api.waitUntil("the job is asked for") {
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

    @Test("a pod that does not begin in time is explained by what the cluster noted, and waited for")
    func late() async throws {
        try await withWorkbench { bench in
            // Before the job is there: the events are read once, as soon as the second is over.
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
                try await eventually("the run's log explains it") {
                    bench.reporter.lines.contains { $0.contains("exceeds a quota") && $0.contains("keeps waiting") }
                }
                bench.api.finishJob(bench.jobName, "Complete")
            }
            #expect(status.code == 0)
            #expect(bench.reporter.lines.count == 1)
        }
    }

    @Test("a job of which nothing is heard for as long as its watch time-out is asked for")
    func jobWatchTimeout() async throws {
        _ = try await endsWell(["job_watch_timeout_seconds": 1]) { bench in
            try await bench.api.waitUntil("the job is asked for") {
                $0.requests("GET", "/jobs/\(bench.jobName)").count >= 2
            }
        }
    }

    @Test("logs that break off are read on, each line once")
    func logs() async throws {
        try await withWorkbench { bench in
            let status = try await bench.follow(bench.job()) {
                try await bench.waitUntilWatched()
                let lines = (0..<5).map { "2026-01-01T00:00:0\($0)Z line \($0)\n" }.joined()
                bench.api.setLog(lines, namespace: "default", pod: "p")
                bench.api.fail(RequestPattern(method: "GET", path: "*/log"), .cut(afterBytes: 70))
                bench.api.fail(RequestPattern(method: "GET", path: "*/log"), .answer(503))
                bench.api.putPod("p", ofJob: bench.jobName, phase: "Running", state: ["running": [:]])
                try await eventually("all is copied") { bench.output.text.contains("line 4") }
                bench.api.finishJob(bench.jobName, "Complete")
            }
            #expect(status.code == 0)
            #expect(bench.output.text == (0..<5).map { "line \($0)\n" }.joined())
            #expect(bench.api.requests("GET", "/log").last?.query["sinceTime"] == "2026-01-01T00:00:01Z")
        }
    }

    @Test("a log that says nothing for too long is read on, without losing or repeating a line")
    func quietLog() async throws {
        try await withWorkbench(silence: .seconds(1)) { bench in
            let status = try await bench.follow(bench.job()) {
                try await bench.waitUntilWatched()
                bench.api.setLog("2026-01-01T00:00:00Z one\n", namespace: "default", pod: "p")
                bench.api.fail(RequestPattern(method: "GET", path: "*/log"), .ignore)
                bench.api.putPod("p", ofJob: bench.jobName, phase: "Running", state: ["running": [:]])
                try await eventually("it is read on") { bench.output.text == "one\n" }
                bench.api.finishJob(bench.jobName, "Complete")
            }
            #expect(status.code == 0)
            #expect(bench.output.text == "one\n")
        }
    }

    @Test("what is not followed any more is let go")
    func lettingGo() async throws {
        try await withWorkbench { bench in
            let job = try bench.job()
            let identifier = try await bench.backend.start(job)
            try await bench.waitUntilWatched()
            bench.api.finishJob(bench.jobName, "Complete")
            _ = try await bench.backend.wait(for: identifier, job: job)
            await bench.backend.cleanUp(identifier, job: job)
            #expect(bench.backend.clusters.ownCluster?.watch.feeds.ownCount == 0)
        }
    }
}
