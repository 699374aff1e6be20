import PrefectJSON
import TestSupport
import Testing

@Suite(
    "Loss of nodes, jobs, ledgers and workers with Kubernetes", .requires(.prefectServer, .kubernetes), .oneOnCluster,
    .bounded)
struct KubernetesLossTests {
    @Test("after the loss of a node and its pod, the run waits for the job's next pod")
    func node() async throws {
        let node = "gone-\(TestBench.unique())"
        // The pods belong to a node without a kubelet, so the removal of the node affects nothing else.
        try await withKubeBench { template in
            template.change(["job_configuration", "job_manifest", "spec", "template", "spec"]) {
                $0["nodeName"] = .string(node)
            }
        } _: { kube in
            let server = kube.server
            try await kube.kubectl("create", input: "apiVersion: v1\nkind: Node\nmetadata: {name: \(node)}")
            let run = try await server.createRun(deployment: kube.deploy(shell: "true"))
            try await kube.withWorker { worker in
                let job = try await kube.job(of: run)
                var pod: JSONValue = .null
                try await eventually(within: .seconds(30), "the job has a pod", every: .milliseconds(300)) {
                    pod = try await kube.objects("pods").first ?? .null
                    return pod != .null
                }
                // The status is as a kubelet reports it.
                pod["status"] = [
                    "phase": "Running",
                    "containerStatuses": [
                        [
                            "name": "prefect-job", "image": "none", "imageID": "none", "ready": true,
                            "restartCount": 0,
                            "state": ["running": ["startedAt": pod["metadata"]?["creationTimestamp"] ?? .null]],
                        ]
                    ],
                ]
                let name = pod["metadata"]?["name"]?.stringValue ?? ""
                let uid = pod["metadata"]?["uid"]?.stringValue ?? ""
                _ = try await KubeBench.kubectl([
                    "replace", "--raw", "/api/v1/namespaces/\(kube.namespace)/pods/\(name)/status", "-f",
                    kube.bench.write("running.json", pod.serialized()),
                ])
                try await eventually(within: .seconds(30), "the server has the pod's event", every: .milliseconds(500))
                {
                    try await !server.events(
                        named: ["prefect.kubernetes.pod.running"], resource: "prefect.kubernetes.pod.\(uid)"
                    ).isEmpty
                }
                _ = try await KubeBench.kubectl(["delete", "node", node])
                // The cluster notices the loss after about a minute.
                try await eventually(within: .seconds(150), "the job has another pod", every: .seconds(1)) {
                    let pods = try await kube.objects("pods").compactMap { $0["metadata"]?["uid"]?.stringValue }
                    return !pods.isEmpty && !pods.contains(uid)
                }
                #expect(try await server.flowRun(run)["state_type"] == "PENDING")
                // No kubelet remains to end the pods of the node.
                try await kube.kubectl("delete", "job", job, "--wait=false")
                try await kube.kubectl("delete", "pods", "--all", "--grace-period=0", "--force", "--wait=false")
                let crash = try await server.waitForRun(run, toBe: ["Crashed"], within: .seconds(60))
                let message = crash["state"]?["message"]?.stringValue ?? ""
                #expect(message.contains("was deleted"), "\(message)")
                #expect(worker.exitStatus == nil)
            }
        }
    }

    @Test("when a TTL removes unread jobs, a Completed run stays Completed, and a run without a final state is Crashed")
    func timeToLive() async throws {
        try await withKubeBench { kube in
            let server = kube.server
            let program = try kube.bench.write("quick.py", FlowSource.quickRun)
            let done = "\(kube.bench.directory)/done"
            let now: JSONValue = ["finished_job_ttl": 0]
            let flow = try await server.createRun(
                deployment: kube.bench.deploy(
                    command: "python \(program) \(kube.bench.directory)/runs \(done)", jobVariables: now))
            let silent = try await server.createRun(
                deployment: kube.deploy(shell: "while ! test -e \(done); do sleep 0.2; done; exit 5", jobVariables: now)
            )
            try await withChildProcess(
                WorkerProgram.path, kube.bench.arguments(),
                environment: kube.bench.environment(kube.variables()), workingDirectory: kube.bench.directory
            ) { worker in
                try await kube.waitUntilRunning(flow)
                _ = try await kube.job(of: silent)
                worker.send(.kill)
                try await worker.waitForExit()
            }
            try kube.bench.write("done", "")
            try await eventually(within: .seconds(60), "the jobs are gone", every: .milliseconds(500)) {
                try await kube.objects("jobs").isEmpty
            }
            try await kube.withWorker { _ in
                let crash = try await server.waitForRun(silent, toBe: ["Crashed"], within: .seconds(60))
                let message = crash["state"]?["message"]?.stringValue ?? ""
                #expect(message.contains("ended while no worker was watching it"), "\(message)")
                try await eventually(
                    within: .seconds(30), "no row and no run directory remains", every: .milliseconds(500)
                ) {
                    try await kube.bench.remains().isEmpty
                }
            }
            #expect(try await server.stateHistory(of: flow).last == "Completed")
        }
    }

    @Test(
        "crashed runs of an earlier worker are reported without its ledger, by exactly one of two workers"
    )
    func ledger() async throws {
        try await withKubeBench { kube in
            let server = kube.server
            func deploy(_ end: String) async throws -> String {
                try await server.createRun(
                    deployment: kube.deploy(
                        shell:
                            "echo last words; while ! test -e \(kube.bench.directory)/\(end); do sleep 0.2; done; exit 6"
                    ))
            }
            let early = try await deploy("early")
            let late = try await deploy("late")
            try await withKilledWorker(kube, name: "replaced") {
                for run in [early, late] { _ = try await kube.job(of: run) }
            }
            try kube.bench.write("early", "")
            try await eventually(within: .seconds(60), "the early run's job has failed", every: .milliseconds(300)) {
                try await kube.objects("jobs").contains { $0["status"]?["failed"] == 1 }
            }
            func withAnother(_ name: String, _ body: () async throws -> Void) async throws {
                let state = ["--state-dir", "\(kube.bench.directory)/state-of-\(name)"]
                try await kube.withWorker(name: name, state) { worker in
                    try await worker.waitForLine(containing: "started!")
                    try await body()
                }
            }
            try await withAnother("second") {
                try await withAnother("third") {
                    for (run, end) in [(early, nil), (late, "late")] {
                        if let end { try kube.bench.write(end, "") }
                        let crash = try await server.waitForRun(run, toBe: ["Crashed"], within: .seconds(120))
                        let message = crash["state"]?["message"]?.stringValue ?? ""
                        #expect(message.contains("status code 6") && message.contains("last words"), "\(message)")
                    }
                    // The wait is as long as the other worker would wait for the worker whose mark was first.
                    try await kube.waitForLog(of: late, containing: "last words")
                }
            }
            for run in [early, late] {
                #expect(try await server.stateHistory(of: run).count { $0 == "Crashed" } == 1)
                let reports = try await server.logs(of: run).count { $0.contains("status code 6") }
                #expect(reports == 1, "\(reports)")
            }
        }
    }

    @Test("a run that a dead worker had only claimed is started by another worker, in one job")
    func claimedOnly() async throws {
        try await withKubeBench { kube in
            let server = kube.server
            let run = try await server.createRun(deployment: kube.deploy(shell: "exit 6"))
            try await withFaultProxy(to: server.url) { proxy in
                // The worker claims the run, and waits for what it needs to make the job.
                proxy.intercept(method: "GET", path: "*/deployments/*", .delay(.seconds(600)))
                let variables = ["PREFECT_API_URL": proxy.url, "PREFECT_WORKER_HEARTBEAT_SECONDS": "2"]
                try await withKilledWorker(kube, name: "first", variables) {
                    try await server.waitForRun(run, toBe: ["Pending"])
                }
            }
            let state = ["--state-dir", "\(kube.bench.directory)/state-of-second"]
            try await kube.withWorker(name: "second", state) { worker in
                try await worker.waitForLine(containing: "Worker 'second' takes over flow run", timeout: .seconds(180))
                try await server.waitForRun(run, toBe: ["Crashed"], within: .seconds(60))
                #expect(try await kube.objects("jobs").count == 1)
            }
            let history = try await server.stateHistory(of: run)
            #expect(history.count { $0 == "Pending" } == 1 && history.count { $0 == "Crashed" } == 1, "\(history)")
        }
    }

    @Test("a run whose worker never returns is reported by another pool's worker that observes the namespace")
    func worker() async throws {
        try await withKubeBench { kube in
            let server = kube.server
            let end = "\(kube.bench.directory)/end"
            let run = try await server.createRun(
                deployment: kube.deploy(shell: "echo last words; while ! test -e \(end); do sleep 0.2; done; exit 6"))
            let observing = ["PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES": kube.namespace]
            try await withKilledWorker(kube, observing) { _ = try await kube.job(of: run) }
            let variables = kube.bench.environment(kube.variables().merging(observing) { $1 })
            let other = "\(kube.bench.pool)-other"
            _ = try await server.createPool(name: other, type: "kubernetes", template: [:])
            try await withChildProcess(
                WorkerProgram.path, ["start", "--pool", other, "--name", "observer"], environment: variables,
                workingDirectory: kube.bench.directory
            ) { observer in
                try await observer.waitForLine(containing: "started!")
                try kube.bench.write("end", "")
                let crash = try await server.waitForRun(run, toBe: ["Crashed"], within: .seconds(90))
                let message = crash["state"]?["message"]?.stringValue ?? ""
                #expect(message.contains("status code 6") && message.contains("last words"), "\(message)")
                let pod = try await kube.objects("pods").first?["metadata"]?["uid"]?.stringValue ?? ""
                try await eventually(
                    within: .seconds(30), "the server has the event of the pod's end", every: .milliseconds(500)
                ) {
                    try await server.events(
                        named: ["prefect.kubernetes.pod.failed"], resource: "prefect.kubernetes.pod.\(pod)"
                    ).count == 1
                }
                observer.send(.terminate)
                #expect(try await observer.waitForExit() == .exited(0))
            }
            try await server.deletePool(other)
        }
    }

    /// Runs a worker until `body` returns, and kills it then.
    private func withKilledWorker(
        _ kube: KubeBench, name: String = "bench", _ variables: [String: String] = [:],
        until body: () async throws -> Void
    ) async throws {
        try await withChildProcess(
            WorkerProgram.path, kube.bench.arguments(name: name),
            environment: kube.bench.environment(kube.variables().merging(variables) { $1 }),
            workingDirectory: kube.bench.directory
        ) { worker in
            try await body()
            worker.send(.kill)
            try await worker.waitForExit()
        }
    }
}
