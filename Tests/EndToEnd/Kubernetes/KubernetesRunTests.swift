import PrefectJSON
import TestSupport
import Testing

@Suite("Flow runs as Kubernetes jobs", .requires(.prefectServer, .kubernetes), .oneOnCluster, .bounded)
struct KubernetesRunTests {
    @Test("a completed flow has all reports: states, logs, labels, job, output and the events of its pod")
    func completes() async throws {
        try await withKubeBench { kube in
            let server = kube.server
            let run = try await server.createRun(
                deployment: kube.bench.deploy("succeed"),
                jobVariables: ["labels": ["team": "a b"], "cpu_request": "10m"],
                parameters: ["word": "plover"], name: "First run!")
            let worker = "Kube Worker \(TestBench.unique())"
            try await kube.withWorker(name: worker) { child in
                try await server.waitForRun(run, toBe: ["Completed", "Crashed", "Failed"], within: .seconds(90))
                try await child.waitForLine(containing: "printed plover")
                try await eventually(
                    within: .seconds(60), "the worker has reported the run's end", every: .milliseconds(300)
                ) {
                    try await !server.events(
                        named: ["prefect.worker.executed-flow-run"], resource: "prefect.flow-run.\(run)"
                    ).isEmpty
                }
            }
            let history = try await server.stateHistory(of: run)
            #expect(history.first == "Scheduled" && history.suffix(2) == ["Running", "Completed"], "\(history)")
            let job = try #require(try await kube.objects("jobs").first)
            let metadata = job["metadata"]
            let name = metadata?["name"]?.stringValue ?? ""
            #expect(name.hasPrefix("first-run-"))
            let done = try await server.flowRun(run)
            #expect(done["infrastructure_pid"]?.stringValue == "\(kube.namespace):\(name)")
            #expect(done["labels"]?["prefect.worker.type"] == "kubernetes")
            #expect(metadata?["labels"]?["prefect.io/flow-run-id"]?.stringValue == run)
            #expect(metadata?["labels"]?["team"] == "a-b")
            let container = job["spec"]?["template"]?["spec"]?["containers"]?[0]
            #expect(container?["resources"]?["requests"]?["cpu"] == "10m")
            let logs = try await server.logs(of: run)
            #expect(logs.contains("the word is plover"))
            #expect(logs.contains { $0.contains("'First run!' submitted to infrastructure as '\(kube.namespace):") })
            try await expectPodEvents(of: run, by: worker, kube)
        }
    }

    /// Expects the events of a completed run's pod, each phase once. The run, the worker and the pool are related
    /// resources.
    private func expectPodEvents(of run: String, by worker: String, _ kube: KubeBench) async throws {
        let names = ["pending", "running", "succeeded"].map { "prefect.kubernetes.pod.\($0)" }
        let pod = try #require(try await kube.objects("pods").first?["metadata"])
        let uid = try #require(pod["uid"]?.stringValue)
        var events: [JSONValue] = []
        try await eventually(within: .seconds(30), "the server has the pod's events", every: .milliseconds(300)) {
            events = try await kube.server.events(named: names, resource: "prefect.kubernetes.pod.\(uid)")
            return Set(events.compactMap { $0["event"]?.stringValue }).isSuperset(of: names.suffix(2))
        }
        #expect(events.count == Set(events.compactMap { $0["id"]?.stringValue }).count)
        for event in events {
            #expect(event["resource"]?["prefect.resource.name"] == pod["name"])
            #expect(event["resource"]?["kubernetes.namespace"]?.stringValue == kube.namespace)
            let related = event["related"]?.arrayValue?.compactMap { $0["prefect.resource.id"]?.stringValue } ?? []
            #expect(related.contains("prefect.flow-run.\(run)"))
            #expect(related.contains { $0.hasPrefix("prefect.worker.kubernetes.kube-worker-") })
            #expect(related.contains { $0.hasPrefix("prefect.work-pool.") })
        }
    }

    @Test("a failing flow is Failed; a command that exits with 7 or exceeds its memory limit is Crashed")
    func fails() async throws {
        try await withKubeBench { kube in
            let server = kube.server
            let failed = try await server.createRun(deployment: kube.bench.deploy("fail"))
            let exited = try await server.createRun(
                deployment: kube.deploy(shell: "echo these are the last words; exit 7"))
            let starving = try await kube.bench.deploy(
                command: #"python -c "b = bytearray(400 << 20); print(len(b))""#,
                jobVariables: ["memory_limit": "64Mi"])
            try await kube.withWorker { worker in
                let crash = try await server.waitForRun(exited, toBe: ["Crashed"], within: .seconds(90))
                let message = crash["state"]?["message"]?.stringValue ?? ""
                #expect(message.contains("exited with non-zero status code 7"), "\(message)")
                #expect(message.contains("these are the last words"), "\(message)")
                try await kube.waitForLog(of: exited, containing: "these are the last words")
                let reason = try await Starvation.message(naming: "OOMKilled") {
                    let starved = try await server.createRun(deployment: starving)
                    let end = try await server.waitForRun(starved, toBe: ["Crashed"], within: .seconds(90))
                    return end["state"]?["message"]?.stringValue ?? ""
                }
                #expect(
                    reason.contains("137") && reason.contains("OOMKilled") && reason.contains("memory_limit"),
                    "\(reason)")
                try await server.waitForRun(failed, toBe: ["Failed", "Crashed"], within: .seconds(90))
                try await worker.waitForLine(containing: "these are the last words")
            }
            #expect(try await server.stateHistory(of: failed).last == "Failed")
        }
    }

    @Test("a job that cannot begin is explained in the run's log, stays pending, and can be cancelled")
    func cannotBegin() async throws {
        try await withKubeBench { kube in
            let server = kube.server
            let missing = try await server.createRun(
                deployment: kube.deploy(shell: "true", jobVariables: ["image": "registry.invalid/none:1"]))
            let huge = try await server.createRun(
                deployment: kube.deploy(shell: "true", jobVariables: ["cpu_request": "4000"]))
            let nobody = try await server.createRun(
                deployment: kube.deploy(
                    shell: "true", jobVariables: ["memory_request": "3000Gi", "pod_watch_timeout_seconds": 2]))
            try await kube.kubectl("create", "quota", "small", "--hard=requests.memory=1Gi")
            let refused = try await server.createRun(
                deployment: kube.deploy(shell: "true", jobVariables: ["namespace": "no-such-namespace"]))
            let invalid = try await server.createRun(
                deployment: kube.deploy(shell: "true", jobVariables: ["cpu_request": "a lot", "memory_request": "1"]))
            try await kube.withWorker { _ in
                let gone = try await server.waitForRun(refused, toBe: ["Crashed"])
                #expect(
                    gone["state"]?["message"]?.stringValue?.contains("namespace 'no-such-namespace' does not exist")
                        == true)
                let wrong = try await server.waitForRun(invalid, toBe: ["Crashed"])
                let message = wrong["state"]?["message"]?.stringValue ?? ""
                #expect(message.contains("cluster refuses"), "\(message)")
                try await kube.waitForLog(of: nobody, containing: "exceeds a quota")
                // The other runs request no memory, and a quota on memory refuses such pods.
                try await kube.kubectl("delete", "quota", "small")
                try await kube.waitForLog(of: missing, containing: "cannot be pulled", within: .seconds(90))
                try await kube.waitForLog(of: huge, containing: "Insufficient cpu", within: .seconds(90))
                try await eventually(
                    within: .seconds(60), "the run is reported as InfrastructurePending", every: .milliseconds(500)
                ) {
                    try await server.stateHistory(of: missing).contains("InfrastructurePending")
                }
                for run in [missing, huge, nobody] {
                    #expect(try await server.flowRun(run)["state_type"] == "PENDING")
                }
                func waitUntilCancelled(_ run: String) async throws {
                    try await server.waitForRun(run, toBe: ["Cancelled", "Crashed"], within: .seconds(60))
                }
                // This run is cancelled alone, so that the others do not add to the time.
                try await server.setState(of: missing, to: "CANCELLING", name: "Cancelling")
                let asked = ContinuousClock.now
                try await waitUntilCancelled(missing)
                // Nothing has begun in the pod, so it gets no grace period, which would be 30 seconds.
                let duration = ContinuousClock.now - asked
                #expect(duration < .seconds(28), "\(duration)")
                for run in [huge, nobody] {
                    try await server.setState(of: run, to: "CANCELLING", name: "Cancelling")
                }
                for run in [huge, nobody] { try await waitUntilCancelled(run) }
                for run in [missing, huge, nobody] {
                    #expect(try await server.stateHistory(of: run).last == "Cancelled")
                }
                #expect(try await kube.objects("jobs").isEmpty)
            }
        }
    }

    @Test("a cancelled flow runs its hook once, becomes Cancelled, and no pod keeps running")
    func cancelled() async throws {
        try await withKubeBench { kube in
            let server = kube.server
            let run = try await server.createRun(deployment: kube.bench.deploy("rest"))
            let deaf = try await server.createRun(deployment: kube.deploy(shell: "trap \"\" TERM; sleep 600"))
            try await kube.withWorker { worker in
                try await kube.bench.waitForNotes("pid", within: .seconds(90))
                _ = try await kube.job(of: deaf)
                for run in [run, deaf] { try await server.setState(of: run, to: "CANCELLING", name: "Cancelling") }
                try await server.waitForRun(run, toBe: ["Cancelled", "Crashed", "Completed"], within: .seconds(60))
                try await server.waitForRun(deaf, toBe: ["Cancelled", "Crashed", "Completed"], within: .seconds(60))
                try await eventually(within: .seconds(60), "no pod runs", every: .milliseconds(500)) {
                    try await kube.objects("pods").allSatisfy { $0["status"]?["phase"] != "Running" }
                }
                #expect(worker.exitStatus == nil)
            }
            #expect(try await server.stateHistory(of: run).last == "Cancelled")
            #expect(try await server.stateHistory(of: deaf).last == "Cancelled")
            #expect(kube.bench.notes("cancelled-hook").count == 1)
        }
    }

    @Test("the environment is in a secret that the job owns, and the secret is removed after the run")
    func secretEnvironment() async throws {
        try await withKubeBench { kube in
            let server = kube.server
            let run = try await server.createRun(
                deployment: kube.deploy(
                    shell:
                        "echo the secret is $WORD; while [ ! -e \(kube.bench.directory)/go ]; do sleep 0.2; done; exit 3",
                    jobVariables: ["env": ["WORD": "plover-1"]]))
            let variables = ["PREFECT_INTEGRATIONS_KUBERNETES_WORKER_STORE_ENV_AS_SECRET": "true"]
            try await kube.withWorker(variables: variables) { worker in
                try await worker.waitForLine(containing: "the secret is plover-1", timeout: .seconds(60))
                let name = try await kube.job(of: run)
                let job = try await kube.kubectl("get", "job", name, "-o", "json")
                #expect(!job.contains("plover-1"))
                let owned = try await kube.objects("secrets").filter { secret in
                    secret["metadata"]?["ownerReferences"]?[0]?["name"]?.stringValue == name
                }
                #expect(owned.count == 1)
                #expect(owned.first?["metadata"]?["labels"]?["prefect.io/flow-run-id"]?.stringValue == run)
                _ = try kube.bench.write("go", "")
                try await server.waitForRun(run, toBe: ["Crashed"], within: .seconds(60))
                try await eventually(within: .seconds(40), "the secret is gone", every: .milliseconds(500)) {
                    try await !kube.objects("secrets").contains {
                        $0["metadata"]?["name"] == owned.first?["metadata"]?["name"]
                    }
                }
                #expect(try await kube.objects("jobs").count == 1)
            }
        }
    }

    @Test("with --run-once the worker exits as soon as the jobs exist, even if a pod can never start")
    func runOnce() async throws {
        try await withKubeBench { kube in
            let run = try await kube.server.createRun(
                deployment: kube.deploy(
                    shell: "true", jobVariables: ["image": "no.such.registry.invalid/image:1"]))
            let worker = try await WorkerProgram.run(
                kube.bench.arguments(["--run-once"]), environment: kube.bench.environment(kube.variables()),
                in: kube.bench.directory)
            #expect(worker.status == .exited(0), "\(worker.text)")
            let name = try await kube.job(of: run)
            #expect(try await kube.objects("jobs").map { $0["metadata"]?["name"]?.stringValue } == [name])
        }
    }

    @Test("labels and names that the cluster would refuse are made valid")
    func labels() async throws {
        try await withKubeBench { kube in
            let run = try await kube.server.createRun(
                deployment: kube.deploy(
                    shell: "exit 3",
                    jobVariables: ["name": "My Run!", "labels": ["Example.COM/Team": "---", "--": "x", "a..b/c": "d"]]))
            try await kube.withWorker { _ in
                try await kube.server.waitForRun(run, toBe: ["Crashed"], within: .seconds(60))
                let labels = try await kube.objects("jobs").first?["metadata"]?["labels"]
                #expect(labels?["example.com/Team"] == "" && labels?["a.b/c"] == "d")
                #expect(try await kube.job(of: run).hasPrefix("my-run-"))
            }
        }
    }
}
