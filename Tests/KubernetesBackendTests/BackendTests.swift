import BackendKit
import BackendKitTesting
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

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
            #expect(status == BackendKit.ExitStatus(code: 0))
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
}
