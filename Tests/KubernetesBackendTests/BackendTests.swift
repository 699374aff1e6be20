import JSON
import OrderedCollections
import TestSupport
import Testing
import Worker

@testable import KubernetesBackend

@Suite("Runs in a cluster")
struct BackendTests {
    @Test("a run that ends well is told from creation to end: its job, its pod's events, its output")
    func completes() async throws {
        try await withWorkbench { bench in
            let status = try await bench.follow(bench.job()) {
                try await bench.waitUntilWatched()
                let name = bench.jobName
                #expect(name == "otter-" + JobName.suffix(claimID: "claim-1"))
                bench.api.putPod("p", ofJob: name, phase: "Pending")
                try await eventually("it is told that the run waits") { bench.reporter.pendingReports == 1 }
                bench.api.setLog(
                    "2026-01-01T00:00:00Z hello\n2026-01-01T00:00:01Z world\n", namespace: "default", pod: "p")
                bench.api.putPod("p", ofJob: name, phase: "Running", state: ["running": [:]])
                bench.api.putPod("p", ofJob: name, phase: "Succeeded", state: ["terminated": ["exitCode": 0]])
                bench.api.finishJob(name, "Complete")
            }
            #expect(status == Worker.ExitStatus(code: 0))
            let events = bench.reporter.events
            #expect(events.map(\.name) == ["pending", "running", "succeeded"].map { "prefect.kubernetes.pod.\($0)" })
            #expect(Set(events.map(\.id)).count == 3)
            #expect(bench.output.text == "hello\nworld\n")
            #expect(bench.reporter.pendingReports == 1)
        }
    }

    @Test("a run whose container fails ends with its exit code, its last lines and what was wrong")
    func fails() async throws {
        try await withWorkbench { bench in
            let status = try await bench.follow(bench.job(["stream_output": false])) {
                bench.api.setLog("line 1\nlast words\n", namespace: "default", pod: "p")
                bench.api.putPod(
                    "p", ofJob: bench.jobName, phase: "Failed",
                    state: ["terminated": ["exitCode": 137, "reason": "OOMKilled"]])
                bench.api.finishJob(bench.jobName, "Failed", reason: "BackoffLimitExceeded")
            }
            #expect(status.code == 137)
            #expect(status.lastOutput == "line 1\nlast words\n")
            #expect(status.reason?.contains("OOMKilled") == true)
            #expect(bench.output.text.isEmpty)
            #expect(bench.reporter.lines.count { $0.contains("OOMKilled") } == 1)
            let asked = bench.api.requests("GET", "/pods/p/log").map(\.query)
            #expect(asked.count == 1 && asked[0]["tailLines"] == "500" && asked[0]["container"] == "prefect-job")
        }
    }

    // MARK: Creation

    @Test("a job whose creation was answered by nobody is found again and not made twice")
    func lostAnswer() async throws {
        try await withWorkbench { bench in
            bench.api.fail(RequestPattern(method: "POST", path: "*/jobs"), .loseAnswer)
            let identifier = try await bench.backend.start(bench.job())
            #expect(bench.api.names(of: "jobs").count == 1)
            #expect(identifier.rawValue == "default:\(bench.jobName)")
            #expect(identifier.handle["uid"]?.stringValue?.hasPrefix("uid-") == true)
            #expect(bench.api.requests("POST", "/jobs").count == 1)
        }
    }

    @Test("a creation that is repeated because its answer was lost, and could not be looked up, meets the job itself")
    func lostAnswerTwice() async throws {
        try await withWorkbench { bench in
            bench.api.fail(RequestPattern(method: "POST", path: "*/jobs"), .loseAnswer)
            bench.api.fail(RequestPattern(method: "GET", path: "*/jobs/*"), .drop)
            _ = try await bench.backend.start(bench.job())
            #expect(bench.api.names(of: "jobs").count == 1)
            #expect(bench.api.requests("POST", "/jobs").count == 2)
        }
    }

    @Test("a creation waits for as long as the API server asks, and for one that is away")
    func comesBack() async throws {
        try await withWorkbench { bench in
            bench.api.fail(RequestPattern(method: "POST", path: "*/jobs"), .answer(429, retryAfter: 1))
            let began = ContinuousClock.now
            _ = try await bench.backend.start(bench.job())
            #expect(ContinuousClock.now - began >= .seconds(1))
            await bench.api.goAway()
            async let identifier = bench.backend.start(bench.job(run: "run-2", claim: "claim-2"))
            try await eventually("the run's log says that it waits") {
                bench.reporter.lines.count { $0.contains("trying again") } == 2
            }
            #expect(bench.backend.trouble?.contains("cannot be reached") == true)
            try await bench.api.comeBack()
            _ = try await identifier
            #expect(bench.api.names(of: "jobs").count == 2)
            try await eventually("the cluster can be used again") { bench.backend.trouble == nil }
        }
    }

    @Test(
        "a creation that the cluster refuses is not tried again, and the refusal says why",
        arguments: [
            (403, "Forbidden", "exceeded quota: small", "quota"),
            (404, "NotFound", "namespaces \"default\" not found", "does not exist"),
            (422, "Invalid", "spec is wrong", "refuses it (422)"),
        ])
    func refused(status: Int, reason: String, message: String, expected: String) async throws {
        try await withWorkbench { bench in
            bench.api.fail(
                RequestPattern(method: "POST", path: "*/jobs"), .answer(status, reason: reason, message: message),
                times: nil)
            let error = await #expect(throws: InfrastructureError.self) { try await bench.backend.start(bench.job()) }
            #expect(error?.kind == .refused)
            #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
            #expect(bench.api.requests("POST", "/jobs").count == 1)
        }
    }

    @Test("a creation that fails inside the cluster is tried as often as the settings say")
    func serverError() async throws {
        try await withWorkbench { bench in
            bench.api.fail(RequestPattern(method: "POST", path: "*/jobs"), .answer(500, message: "webhook"), times: nil)
            let error = await #expect(throws: InfrastructureError.self) { try await bench.backend.start(bench.job()) }
            #expect(error?.kind == .unavailable)
            #expect(bench.api.requests("POST", "/jobs").count == 3)
        }
    }

    @Test("another run's job of the same name is not taken for one's own")
    func nameTaken() async throws {
        try await withWorkbench { bench in
            let name = "otter-" + JobName.suffix(claimID: "claim-1")
            bench.api.put("jobs", ["metadata": ["name": .string(name), "labels": ["prefect.io/flow-run-id": "other"]]])
            await #expect(throws: InfrastructureError.self) { try await bench.backend.start(bench.job()) }
        }
    }

    @Test("the secret of a job is created before it, belongs to it, and goes when the job is refused")
    func secrets() async throws {
        let variables = ["PREFECT_INTEGRATIONS_KUBERNETES_WORKER_STORE_ENV_AS_SECRET": "true"]
        try await withWorkbench(environment: variables) { bench in
            let job = try bench.job(["env": ["WORD": "plover"]])
            _ = try await bench.backend.start(job)
            let name = bench.jobName
            let secret = try #require(bench.api.object("secrets", "\(name)-env"))
            #expect(secret["stringData"]?["WORD"] == "plover")
            #expect(secret["metadata"]?["ownerReferences"]?[0]?["name"]?.stringValue == name)
            #expect(bench.api.object("jobs", name)?.serialized().contains("plover") == false)
            let order = bench.api.requests.filter { $0.method == "POST" }.map { $0.path.split(separator: "/").last }
            #expect(order == ["secrets", "jobs"])
            bench.api.fail(RequestPattern(method: "POST", path: "*/jobs"), .answer(422, message: "no"))
            await #expect(throws: InfrastructureError.self) {
                try await bench.backend.start(bench.job(["env": ["WORD": "plover"]], run: "run-2", claim: "claim-2"))
            }
            #expect(bench.api.names(of: "secrets").count == 1)
        }
    }

    // MARK: Recovery

    @Test("what an earlier process has left is found by its identifier, or by its claim, or was never there")
    func remains() async throws {
        try await withWorkbench { bench in
            let job = try bench.job()
            #expect(try await bench.backend.remains(of: job, identifier: nil) == .neverStarted)
            let identifier = try await bench.backend.start(job)
            #expect(try await bench.backend.remains(of: job, identifier: identifier) == .running(identifier))
            #expect(try await bench.backend.remains(of: job, identifier: nil) == .running(identifier))
            // An earlier launch of the same run is not this one's.
            let later = try bench.job(claim: "claim-2")
            #expect(try await bench.backend.remains(of: later, identifier: nil) == .neverStarted)
            let elsewhere = JobPlace(namespace: "default", name: bench.jobName, uid: "u", server: "https://other")
            #expect(try await bench.backend.remains(of: job, identifier: elsewhere.identifier) == .outOfReach)
            bench.api.remove("jobs", bench.jobName)
            #expect(try await bench.backend.remains(of: job, identifier: identifier) == .ended(identifier))
            bench.api.fail(RequestPattern(method: "GET", path: "*"), .answer(503), times: nil)
            let error = await #expect(throws: InfrastructureError.self) {
                try await bench.backend.remains(of: job, identifier: identifier)
            }
            #expect(error?.kind == .unavailable)
        }
    }

    @Test("a job that ended while nobody watched is told as it ended")
    func endedMeanwhile() async throws {
        try await withWorkbench { bench in
            let job = try bench.job()
            bench.api.put(
                "jobs", ["metadata": ["name": "old", "labels": ["prefect.io/flow-run-id": "run-1"]]])
            bench.api.putPod("p", ofJob: "old", phase: "Failed", state: ["terminated": ["exitCode": 7]])
            bench.api.finishJob("old", "Failed")
            let identifier = InfrastructureIdentifier(rawValue: "default:old")
            await bench.backend.adopt(identifier, flowRunID: "run-1", flowRunName: "otter")
            #expect(try await bench.backend.wait(for: identifier, job: job).code == 7)
            // One that has ended well is in no list, and is asked for.
            bench.api.put("jobs", ["metadata": ["name": "good", "labels": ["prefect.io/flow-run-id": "run-1"]]])
            bench.api.finishJob("good", "Complete")
            let good = InfrastructureIdentifier(rawValue: "default:good")
            await bench.backend.adopt(good, flowRunID: "run-1", flowRunName: "otter")
            #expect(try await bench.backend.wait(for: good, job: job).code == 0)
        }
    }

    // MARK: Stopping

    @Test("stopping deletes the job in the foreground with its grace, and nothing else of that name")
    func stop() async throws {
        try await withWorkbench { bench in
            let job = try bench.job()
            let identifier = try await bench.backend.start(job)
            try await bench.backend.stop(identifier, job: job, grace: .seconds(30), reason: .cancelled)
            let request = try #require(
                bench.api.requests("DELETE", "/jobs/\(identifier.rawValue.split(separator: ":")[1])").first)
            #expect(request.query["propagationPolicy"] == "Foreground")
            #expect(request.query["gracePeriodSeconds"] == "30")
            #expect(request.body["propagationPolicy"] == "Foreground")
            #expect(request.body["preconditions"]?["uid"] == identifier.handle["uid"])
            let error = await #expect(throws: InfrastructureError.self) {
                try await bench.backend.stop(identifier, job: job, grace: .seconds(1), reason: .cancelled)
            }
            #expect(error?.kind == .notFound)
        }
    }

    @Test("a flow that is being cancelled is left to end by itself in its pod")
    func cooperation() async throws {
        try await withWorkbench { bench in
            let job = try bench.job()
            let identifier = try await bench.backend.start(job)
            bench.api.putPod("p", ofJob: bench.jobName, phase: "Running", state: ["running": [:]])
            async let stopped: Void = bench.backend.stop(identifier, job: job, grace: .seconds(30), reason: .cancelled)
            try await bench.api.waitUntil("the job is looked at") {
                $0.requests("GET", "/jobs/\(bench.jobName)").count >= 2
            }
            bench.api.finishJob(bench.jobName, "Complete")
            try await stopped
            #expect(bench.api.requests("DELETE", "/jobs/\(bench.jobName)").isEmpty)
        }
    }

    // MARK: Checks

    @Test("a check names the verbs that are missing and what is lost without them")
    func check() async throws {
        try await withWorkbench { bench in
            let good = await bench.backend.check()
            #expect(good.isUsable)
            #expect(good.findings.contains { $0.detail.contains("v1.99.0") })
            #expect(good.findings.contains { $0.detail.contains("all ") })
            bench.api.forbid("get pods/log", "list events", "watch pods", "list pods")
            let report = await bench.backend.check()
            #expect(report.isUsable)
            let details = report.findings.map(\.detail)
            #expect(details.contains { $0.contains("may not get pods/log in the namespace 'default'") })
            #expect(details.contains { $0.contains("may not list events") })
            #expect(details.contains { $0.contains("may not list, watch pods") })
            #expect(bench.notices.lines.count == 3)
            bench.api.accept(tokens: ["another"])
            let expired = await bench.backend.check()
            #expect(!expired.isUsable)
            #expect(expired.findings.first?.detail.contains("does not know the worker's credentials") == true)
            #expect(bench.backend.trouble != nil)
        }
    }
}
