import JSON
import OrderedCollections
import TestSupport
import Testing
import Worker
import WorkerTestSupport

@testable import KubernetesBackend

@Suite("Runs in a cluster")
struct BackendTests {
    @Test("a successful run is reported from creation to end: its job, its pod's events and its output")
    func completes() async throws {
        try await withWorkbench { bench in
            let status = try await bench.follow(bench.job()) {
                try await bench.waitUntilWatched()
                let name = bench.jobName
                #expect(name == "otter-" + JobName.suffix(claimID: "claim-1"))
                bench.api.putPod("p", ofJob: name, phase: "Pending")
                try await eventually("the run is reported as pending") { bench.reporter.pendingReports == 1 }
                bench.api.setLog(
                    "2026-01-01T00:00:00Z hello\n2026-01-01T00:00:01Z world\n", namespace: "default", pod: "p")
                bench.api.putPod("p", ofJob: name, phase: "Running", state: ["running": [:]])
                // The worker may report only the last of several states that follow each other at once.
                try await eventually("the running pod is reported") { bench.reporter.events.count == 2 }
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

    @Test("a run whose container fails ends with the exit code, the last lines and the reason")
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

    @Test("namespaces and labels in the settings also limit the events of the worker's own runs")
    func scope() async throws {
        let prefix = "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_"
        let cases: [(variables: [String: String], isTold: Bool)] = [
            (["NAMESPACES": "default", "ADDITIONAL_LABEL_FILTERS": "team=a"], true),
            (["NAMESPACES": "elsewhere"], false),
            (["ADDITIONAL_LABEL_FILTERS": "team=b"], false), (["ADDITIONAL_LABEL_FILTERS": "team"], true),
        ]
        for (variables, isTold) in cases {
            let variables = Dictionary(uniqueKeysWithValues: variables.map { (prefix + $0.key, $0.value) })
            try await withWorkbench(environment: variables) { bench in
                let status = try await bench.follow(bench.job(["labels": ["team": "a"], "stream_output": false])) {
                    bench.api.putPod(
                        "p", ofJob: bench.jobName, phase: "Failed",
                        state: ["terminated": ["exitCode": 3, "reason": "Error"]])
                    bench.api.finishJob(bench.jobName, "Failed", reason: "BackoffLimitExceeded")
                }
                #expect(status.code == 3)
                #expect(bench.reporter.events.isEmpty != isTold, "\(variables)")
            }
        }
    }

    @Test(
        "a crash is explained by the output of all failed pods, previous containers and other containers")
    func lastWords() async throws {
        try await withWorkbench { bench in
            let status = try await bench.follow(bench.job(["stream_output": false])) {
                let name = bench.jobName
                func put(_ pod: String, second: Int, _ statuses: JSONValue, isInit: Bool = false) {
                    let uid = bench.api.object("jobs", name)?["metadata"]?["uid"] ?? "none"
                    bench.api.put(
                        "pods",
                        [
                            "metadata": [
                                "name": .string(pod), "creationTimestamp": .string("2026-01-01T00:00:0\(second)Z"),
                                "labels": ["job-name": .string(name), "prefect.io/flow-run-id": "run-1"],
                                "ownerReferences": [["kind": "Job", "name": .string(name), "uid": uid]],
                            ],
                            "status": [
                                "phase": "Failed", isInit ? "initContainerStatuses" : "containerStatuses": statuses,
                            ],
                        ])
                }
                let ended: JSONValue = ["terminated": ["exitCode": 3, "reason": "Error"]]
                put("one", second: 1, [["name": "prefect-job", "state": ended]])
                put("two", second: 2, [["name": "prefect-job", "state": ended, "restartCount": 2]])
                put("init", second: 3, [["name": "setup", "state": ended]], isInit: true)
                put(
                    "side", second: 4,
                    [["name": "prefect-job", "state": ended], ["name": "proxy", "state": ended]])
                bench.api.setLog("of the first\n", namespace: "default", pod: "one")
                bench.api.setLog("fresh\n", namespace: "default", pod: "two")
                bench.api.setLog(
                    "of the second\n", namespace: "default", pod: "two", container: "prefect-job", previous: true)
                bench.api.setLog("of the setup", namespace: "default", pod: "init", container: "setup")
                bench.api.setLog(" \n", namespace: "default", pod: "side", container: "prefect-job")
                bench.api.setLog("of the proxy\n", namespace: "default", pod: "side", container: "proxy")
                bench.api.finishJob(name, "Failed", reason: "BackoffLimitExceeded")
            }
            #expect(
                status.lastOutput == """
                    Container 'prefect-job' of pod 'one':
                    of the first
                    Container 'prefect-job' of pod 'two':
                    of the second
                    Container 'setup' of pod 'init':
                    of the setup
                    Container 'proxy' of pod 'side':
                    of the proxy

                    """)
        }
    }

    @Test("each credential in clear text in a manifest causes one warning with the setting that prevents it")
    func credentialsInClear() async throws {
        let prefix = "PREFECT_INTEGRATIONS_KUBERNETES_WORKER_"
        let job: JSONValue = ["env": ["PREFECT_API_AUTH_STRING": "u:swordfish", "PREFECT_API_KEY": "pnu_swordfish"]]
        try await withWorkbench { bench in
            for claim in ["claim-1", "claim-2"] { _ = try await bench.backend.start(bench.job(job, claim: claim)) }
            #expect(bench.log.messages().count == 2)
            for part in ["PREFECT_API_AUTH_STRING", "\(prefix)API_AUTH_STRING_SECRET_NAME", "PREFECT_API_KEY"] {
                #expect(bench.log.messages().contains { $0.contains(part) })
            }
            #expect(!bench.log.messages().contains { $0.contains("swordfish") })
        }
        let kept = [
            [
                "\(prefix)API_AUTH_STRING_SECRET_NAME": "auth", "\(prefix)API_AUTH_STRING_SECRET_KEY": "k",
                "\(prefix)CREATE_SECRET_FOR_API_KEY": "true",
            ],
            ["\(prefix)STORE_ENV_AS_SECRET": "true"],
        ]
        for variables in kept {
            try await withWorkbench(environment: variables) { bench in
                _ = try await bench.backend.start(bench.job(job))
                #expect(bench.log.messages().isEmpty)
            }
        }
    }

    // MARK: Creation

    /// Starts the watches, which keep both open connections busy. libcurl itself repeats a request whose kept
    /// connection breaks, and the tests count requests.
    private func occupyConnections(_ bench: Workbench) async throws {
        let other = InfrastructureIdentifier(rawValue: "default:elsewhere")
        await bench.backend.adopt(other, flowRunID: "r", flowRunName: "r")
        try await bench.waitUntilWatched()
    }

    @Test("a job whose creation answer is lost is found again and not created twice")
    func lostAnswer() async throws {
        try await withWorkbench { bench in
            try await occupyConnections(bench)
            bench.api.fail(RequestPattern(method: "POST", path: "*/jobs"), .loseAnswer)
            let identifier = try await bench.backend.start(bench.job())
            #expect(bench.api.names(of: "jobs").count == 1)
            #expect(identifier.rawValue == "default:\(bench.jobName)")
            #expect(identifier.handle["uid"]?.stringValue?.hasPrefix("uid-") == true)
            #expect(bench.api.requests("POST", "/jobs").count == 1)
        }
    }

    @Test("a creation that is repeated after a lost answer and a failed look-up finds the existing job")
    func lostAnswerTwice() async throws {
        try await withWorkbench { bench in
            try await occupyConnections(bench)
            bench.api.fail(RequestPattern(method: "POST", path: "*/jobs"), .loseAnswer)
            bench.api.fail(RequestPattern(method: "GET", path: "*/jobs/*"), .drop)
            _ = try await bench.backend.start(bench.job())
            #expect(bench.api.names(of: "jobs").count == 1)
            #expect(bench.api.requests("POST", "/jobs").count == 2)
        }
    }

    @Test("a creation waits as long as the API server requests, and until an absent API server returns")
    func comesBack() async throws {
        try await withWorkbench { bench in
            bench.api.fail(RequestPattern(method: "POST", path: "*/jobs"), .answer(429, retryAfter: 1))
            let began = ContinuousClock.now
            _ = try await bench.backend.start(bench.job())
            #expect(ContinuousClock.now - began >= .seconds(1))
            await bench.api.goAway()
            async let identifier = bench.backend.start(bench.job(run: "run-2", claim: "claim-2"))
            try await eventually("the run's log reports the wait") {
                bench.reporter.lines.count { $0.contains("retrying") } == 2
            }
            // An open connection is reset first. Only the failure of a new one shows that the server cannot be reached.
            try await eventually("the cluster is reported as unreachable") {
                bench.backend.unavailableReason?.contains("cannot be reached") == true
            }
            try await bench.api.comeBack()
            _ = try await identifier
            #expect(bench.api.names(of: "jobs").count == 2)
            try await eventually("the cluster is reported as available again") {
                bench.backend.unavailableReason == nil
            }
        }
    }

    @Test(
        "a creation that the cluster refuses is not retried, and the error states the reason",
        arguments: [
            (403, "Forbidden", "exceeded quota: small", "quota"),
            (404, "NotFound", "namespaces \"default\" not found", "does not exist"),
            (422, "Invalid", "spec is wrong", "refuses the request (422)"),
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

    @Test("a creation that fails inside the cluster is tried as often as the settings specify")
    func serverError() async throws {
        try await withWorkbench { bench in
            bench.api.fail(RequestPattern(method: "POST", path: "*/jobs"), .answer(500, message: "webhook"), times: nil)
            let error = await #expect(throws: InfrastructureError.self) { try await bench.backend.start(bench.job()) }
            #expect(error?.kind == .unavailable)
            #expect(bench.api.requests("POST", "/jobs").count == 3)
        }
    }

    @Test("a creation fails if another run's job has the same name")
    func nameTaken() async throws {
        try await withWorkbench { bench in
            let name = "otter-" + JobName.suffix(claimID: "claim-1")
            bench.api.put("jobs", ["metadata": ["name": .string(name), "labels": ["prefect.io/flow-run-id": "other"]]])
            await #expect(throws: InfrastructureError.self) { try await bench.backend.start(bench.job()) }
        }
    }

    @Test("a job's secret is created before the job, belongs to it, and is removed if it is refused")
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

    @Test(
        "a job's secret is removed after its run, with only the rights to create, update and delete secrets",
        arguments: ["CREATE_SECRET_FOR_API_KEY", "STORE_ENV_AS_SECRET"])
    func secretsEnd(setting: String) async throws {
        let variables = ["PREFECT_INTEGRATIONS_KUBERNETES_WORKER_\(setting)": "true"]
        try await withWorkbench(environment: variables) { bench in
            bench.api.forbid("get secrets", "list secrets", "patch secrets")
            let job = try bench.job(["env": ["PREFECT_API_KEY": "k"]])
            let identifier = try await bench.backend.start(job)
            let secret = try #require(bench.api.names(of: "secrets").first)
            #expect(bench.api.object("secrets", secret)?["metadata"]?["ownerReferences"]?[0]?["kind"] == "Job")
            #expect(bench.reporter.lines.isEmpty)
            bench.api.fail(RequestPattern(method: "DELETE", path: "*/secrets/*"), .answer(503))
            await bench.backend.cleanUp(identifier, job: job)
            #expect(bench.api.names(of: "secrets").isEmpty)
            #expect(bench.api.names(of: "jobs").count == 1)
        }
    }

    @Test("a job whose secret exists from an attempt with a lost answer gets its own values")
    func secretOfEarlierAttempt() async throws {
        let variables = ["PREFECT_INTEGRATIONS_KUBERNETES_WORKER_STORE_ENV_AS_SECRET": "true"]
        try await withWorkbench(environment: variables) { bench in
            let name = "otter-\(JobName.suffix(claimID: "claim-1"))-env"
            bench.api.put("secrets", ["metadata": ["name": .string(name)], "stringData": ["WORD": "old"]])
            _ = try await bench.backend.start(bench.job(["env": ["WORD": "new"]]))
            #expect(bench.api.object("secrets", name)?["stringData"]?["WORD"] == "new")
        }
    }

    // MARK: Recovery

    @Test("a job of an earlier process is found by its identifier or claim, or reported as never started")
    func remains() async throws {
        try await withWorkbench { bench in
            let job = try bench.job()
            #expect(try await bench.backend.recover(job, identifier: nil) == .neverStarted)
            let identifier = try await bench.backend.start(job)
            #expect(try await bench.backend.recover(job, identifier: identifier) == .present(identifier))
            #expect(try await bench.backend.recover(job, identifier: nil) == .present(identifier))
            // The job of an earlier claim of the same run does not belong to this claim.
            let later = try bench.job(claim: "claim-2")
            #expect(try await bench.backend.recover(later, identifier: nil) == .neverStarted)
            let elsewhere = JobReference(namespace: "default", name: bench.jobName, uid: "u", server: "https://other")
            #expect(try await bench.backend.recover(job, identifier: elsewhere.identifier) == .outOfReach)
            bench.api.remove("jobs", bench.jobName)
            #expect(try await bench.backend.recover(job, identifier: identifier) == .ended(identifier))
            bench.api.fail(RequestPattern(method: "GET", path: "*"), .answer(503), times: nil)
            let error = await #expect(throws: InfrastructureError.self) {
                try await bench.backend.recover(job, identifier: identifier)
            }
            #expect(error?.kind == .unavailable)
        }
    }

    @Test("a job that ended unwatched is reported with its result")
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
        }
        // A job that has succeeded is in no list, so the worker requests it.
        try await withWorkbench { bench in
            let job = try bench.job()
            bench.api.put("jobs", ["metadata": ["name": "good", "labels": ["prefect.io/flow-run-id": "run-1"]]])
            bench.api.finishJob("good", "Complete")
            let good = InfrastructureIdentifier(rawValue: "default:good")
            await bench.backend.adopt(good, flowRunID: "run-1", flowRunName: "otter")
            #expect(try await bench.backend.wait(for: good, job: job).code == 0)
        }
    }

    @Test("output that a pod printed before a restart of the worker is not printed again", arguments: [false, true])
    func earlierOutput(isNoted: Bool) async throws {
        let folder = try TemporaryFolder()
        try await withWorkbench(stateDirectory: folder.path) { bench in
            let job = try bench.job()
            bench.api.put(
                "jobs", ["metadata": ["name": "old", "labels": ["prefect.io/flow-run-id": "run-1"]]])
            bench.api.putPod("p", ofJob: "old", phase: "Running", state: ["running": [:]])
            bench.api.setLog(
                "2026-01-01T00:00:00Z before\n2026-01-01T00:00:01Z meanwhile\n2999-01-01T00:00:00Z after\n",
                namespace: "default", pod: "p")
            let uid = bench.api.object("pods", "p")?["metadata"]?["uid"]?.stringValue ?? ""
            let mark = KubernetesBackend.mark(ofPod: uid, flowRunID: "run-1")
            if isNoted {
                var position = OutputPosition()
                _ = position.admits(OutputTime("2026-01-01T00:00:00Z"))
                bench.backend.marks.set(position, of: mark)
            }
            let identifier = InfrastructureIdentifier(rawValue: "default:old")
            await bench.backend.adopt(identifier, flowRunID: "run-1", flowRunName: "otter")
            async let status = bench.backend.wait(for: identifier, job: job)
            try await eventually("the last line is printed") { bench.output.text.hasSuffix("after\n") }
            bench.api.finishJob("old", "Complete")
            #expect(try await status.code == 0)
            #expect(bench.output.text == (isNoted ? "meanwhile\nafter\n" : "after\n"))
            #expect(bench.backend.marks.position(of: mark)?.time == OutputTime("2999-01-01T00:00:00Z"))
            await bench.backend.removeOrphans(except: ["run-1"])
            #expect(bench.backend.marks.position(of: mark) != nil)
            await bench.backend.cleanUp(identifier, job: job)
            #expect(bench.backend.marks.position(of: mark) == nil)
        }
    }

    // MARK: Stopping

    @Test("stopping deletes the job in the foreground with the grace period, and no other job of that name")
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

    @Test("stopping deletes a pod without a started container immediately, and keeps a pod with a started container")
    func unbegun() async throws {
        try await withWorkbench { bench in
            let job = try bench.job()
            let identifier = try await bench.backend.start(job)
            bench.api.putPod(
                "never", ofJob: bench.jobName, phase: "Pending", state: ["waiting": ["reason": "ImagePullBackOff"]])
            bench.api.putPod("scheduling", ofJob: bench.jobName, phase: "Pending")
            bench.api.putPod("begun", ofJob: bench.jobName, phase: "Pending", state: ["running": [:]])
            let version = bench.api.object("pods", "never")?["metadata"]?["resourceVersion"]
            try await bench.backend.stop(identifier, job: job, grace: .seconds(30), reason: .cancelled)
            let request = try #require(bench.api.requests("DELETE", "/pods/never").first)
            #expect(request.body["gracePeriodSeconds"] == 0)
            #expect(request.body["preconditions"]?["resourceVersion"] == version)
            #expect(bench.api.names(of: "pods") == ["begun"])
        }
    }

    @Test("a pod that starts at the moment of its deletion keeps its grace period")
    func begunMeanwhile() async throws {
        try await withWorkbench { bench in
            let job = try bench.job()
            let identifier = try await bench.backend.start(job)
            bench.api.putPod("p", ofJob: bench.jobName, phase: "Pending")
            bench.api.fail(RequestPattern(method: "DELETE", path: "*/pods/p"), .answer(409, reason: "Conflict"))
            bench.api.fail(RequestPattern(method: "DELETE", path: "*/pods/p"), .drop, times: nil)
            try await bench.backend.stop(identifier, job: job, grace: .seconds(30), reason: .cancelled)
            #expect(bench.api.requests("DELETE", "/pods/p").count == 1)
        }
    }

    @Test("the job of a cancelled flow that ends by itself is not deleted")
    func cooperation() async throws {
        try await withWorkbench { bench in
            let job = try bench.job()
            let identifier = try await bench.backend.start(job)
            bench.api.putPod("p", ofJob: bench.jobName, phase: "Running", state: ["running": [:]])
            async let stopped: Void = bench.backend.stop(identifier, job: job, grace: .seconds(30), reason: .cancelled)
            try await bench.api.waitUntil("the job is requested") {
                $0.requests("GET", "/jobs/\(bench.jobName)").count >= 2
            }
            bench.api.finishJob(bench.jobName, "Complete")
            try await stopped
            #expect(bench.api.requests("DELETE", "/jobs/\(bench.jobName)").isEmpty)
        }
    }

    // MARK: Checks

    @Test(
        "a check covers the namespaces of a pool's template and deployments, and reports each missing permission"
    )
    func namespaces() async throws {
        try await withWorkbench { bench in
            bench.api.forbid("create jobs in team-b", "get pods/log in default")
            let pool = try poolJobs(
                in: "jobs", [["namespace": "team-a"], ["namespace": "team-b", "env": ["A": "b"]], [:]])
            let report = await bench.backend.check([pool])
            let wrong = report.findings.filter { !$0.isGood }.map(\.detail)
            #expect(
                wrong == [
                    "the worker may not create jobs in the namespace 'team-b', which deployment 'd1' names: no run can be "
                        + "started there; give its service account a role that allows it"
                ])
            let asked = bench.api.requests("POST", "/selfsubjectaccessreviews").compactMap {
                $0.body["spec"]?["resourceAttributes"]?["namespace"]?.stringValue
            }
            #expect(Set(asked) == ["jobs", "team-a", "team-b"])
            let good = report.findings.filter { $0.subject == "permissions" }.map(\.detail)
            #expect(good.count == 2)
            #expect(good.contains { $0.contains("'jobs', which the template of work pool 'p' names") })
        }
    }

    @Test("a check reports that the worker may not delete the pods of a stopped run")
    func deletionOfPods() async throws {
        try await withWorkbench { bench in
            bench.api.forbid("delete pods")
            let wrong = await bench.backend.check().findings.filter { !$0.isGood }.map(\.detail)
            #expect(wrong.count == 1 && wrong[0].contains("may not delete pods"), "\(wrong)")
        }
    }

    @Test("a check reports a pool whose deployments cannot be read")
    func unreadableDeployments() async throws {
        try await withWorkbench { bench in
            let report = await bench.backend.check([try poolJobs(in: "jobs", [], fails: CancellationError())])
            #expect(report.findings.contains { !$0.isGood && $0.detail.contains("work pool 'p'") })
        }
    }

    @Test("a check names the missing verbs, and reports credentials that the cluster does not know")
    func check() async throws {
        try await withWorkbench { bench in
            let good = await bench.backend.check()
            #expect(good.isUsable)
            #expect(good.findings.contains { $0.detail.contains("v1.99.0") })
            #expect(good.findings.contains { $0.detail.contains("all ") })
            bench.api.forbid("get pods/log", "list events", "watch pods", "list pods")
            let report = await bench.backend.check()
            #expect(!report.isUsable)
            #expect(report.findings.allSatisfy { $0.isGood || $0.isPartial })
            let details = report.findings.map(\.detail)
            #expect(details.contains { $0.contains("may not get pods/log in the namespace 'default'") })
            #expect(details.contains { $0.contains("may not list events") })
            #expect(details.contains { $0.contains("may not list, watch pods") })
            #expect(report.findings.count { !$0.isGood } == 3)
            bench.api.accept(tokens: ["another"])
            let expired = await bench.backend.check()
            #expect(!expired.isUsable)
            #expect(expired.findings.first?.detail.contains("does not accept the worker's credentials") == true)
            #expect(bench.backend.unavailableReason != nil)
        }
    }
}
