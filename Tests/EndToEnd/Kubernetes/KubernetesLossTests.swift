import JSON
import TestSupport
import Testing

@Suite("Kubernetes jobs of which something is lost", .requires(.prefectServer, .kubernetes), .oneOnCluster, .bounded)
struct KubernetesLossTests {
    @Test("a node that goes away takes its pod along, and not the run: the job's next pod is waited for")
    func node() async throws {
        let node = "gone-\(TestBench.unique())"
        // The pods are the node's, which no kubelet looks after: nobody else is concerned when it goes.
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
                try await eventually(within: .seconds(30), "there is a pod", every: .milliseconds(300)) {
                    pod = try await kube.objects("pods").first ?? .null
                    return pod != .null
                }
                // As a kubelet says it.
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
                try await eventually(within: .seconds(30), "the pod's event is told", every: .milliseconds(500)) {
                    try await !server.events(
                        named: ["prefect.kubernetes.pod.running"], resource: "prefect.kubernetes.pod.\(uid)"
                    ).isEmpty
                }
                _ = try await KubeBench.kubectl(["delete", "node", node])
                // The cluster notices after about a minute.
                try await eventually(within: .seconds(150), "the job has another pod", every: .seconds(1)) {
                    let pods = try await kube.objects("pods").compactMap { $0["metadata"]?["uid"]?.stringValue }
                    return !pods.isEmpty && !pods.contains(uid)
                }
                #expect(try await server.flowRun(run)["state_type"] == "PENDING")
                // Nobody is left to end the pods of the node.
                try await kube.kubectl("delete", "job", job, "--wait=false")
                try await kube.kubectl("delete", "pods", "--all", "--grace-period=0", "--force", "--wait=false")
                let crash = try await server.waitForRun(run, toBe: ["Crashed"], within: .seconds(60))
                let message = crash["state"]?["message"]?.stringValue ?? ""
                #expect(message.contains("was deleted"), "\(message)")
                #expect(worker.exitStatus == nil)
            }
        }
    }

    @Test("jobs that are removed by their time to live before anybody has read them: what their flows said is true")
    func timeToLive() async throws {
        try await withKubeBench { kube in
            let server = kube.server
            let program = try kube.bench.write("quick.py", FlowSource.quickRun)
            let done = "\(kube.bench.folder)/done"
            let now: JSONValue = ["finished_job_ttl": 0]
            let flow = try await server.createRun(
                deployment: kube.bench.deploy(
                    command: "python \(program) \(kube.bench.folder)/runs \(done)", jobVariables: now))
            let silent = try await server.createRun(
                deployment: kube.deploy(shell: "while ! test -e \(done); do sleep 0.2; done; exit 5", jobVariables: now)
            )
            try await withChildProcess(
                WorkerProgram.path, kube.bench.arguments(),
                environment: kube.bench.environment(kube.variables()), workingDirectory: kube.bench.folder
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
                try await eventually(within: .seconds(30), "nothing is left", every: .milliseconds(500)) {
                    try await kube.bench.remains().isEmpty
                }
            }
            #expect(try await server.stateHistory(of: flow).last == "Completed")
        }
    }

    @Test(
        "a worker without the ledger of the one it replaces reports the crashes of its runs, and of two workers one does"
    )
    func ledger() async throws {
        try await withKubeBench { kube in
            let server = kube.server
            func deploy(_ end: String) async throws -> String {
                try await server.createRun(
                    deployment: kube.deploy(
                        shell:
                            "echo last words; while ! test -e \(kube.bench.folder)/\(end); do sleep 0.2; done; exit 6"))
            }
            let early = try await deploy("early")
            let late = try await deploy("late")
            let environment = kube.bench.environment(kube.variables())
            try await withChildProcess(
                WorkerProgram.path, kube.bench.arguments(name: "replaced"), environment: environment,
                workingDirectory: kube.bench.folder
            ) { worker in
                for run in [early, late] { _ = try await kube.job(of: run) }
                worker.send(.kill)
                try await worker.waitForExit()
            }
            try kube.bench.write("early", "")
            try await eventually(within: .seconds(60), "its job has failed", every: .milliseconds(300)) {
                try await kube.objects("jobs").contains { $0["status"]?["failed"] == 1 }
            }
            func withAnother(_ name: String, _ body: () async throws -> Void) async throws {
                let state = ["--state-dir", "\(kube.bench.folder)/state-of-\(name)"]
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
                    // For as long as the other worker would wait for the one whose mark was first.
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

    @Test("a run whose worker is gone for good is reported by a worker of another pool that observes its namespace")
    func worker() async throws {
        try await withKubeBench { kube in
            let server = kube.server
            let end = "\(kube.bench.folder)/end"
            let run = try await server.createRun(
                deployment: kube.deploy(shell: "echo last words; while ! test -e \(end); do sleep 0.2; done; exit 6"))
            let variables = kube.bench.environment(
                kube.variables().merging(
                    ["PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES": kube.namespace]) { $1 })
            try await withChildProcess(
                WorkerProgram.path, kube.bench.arguments(), environment: variables, workingDirectory: kube.bench.folder
            ) { worker in
                _ = try await kube.job(of: run)
                worker.send(.kill)
                try await worker.waitForExit()
            }
            let other = "\(kube.bench.pool)-other"
            _ = try await server.createPool(name: other, type: "kubernetes", template: [:])
            try await withChildProcess(
                WorkerProgram.path, ["start", "--pool", other, "--name", "observer"], environment: variables,
                workingDirectory: kube.bench.folder
            ) { observer in
                try await observer.waitForLine(containing: "started!")
                try kube.bench.write("end", "")
                let crash = try await server.waitForRun(run, toBe: ["Crashed"], within: .seconds(90))
                let message = crash["state"]?["message"]?.stringValue ?? ""
                #expect(message.contains("status code 6") && message.contains("last words"), "\(message)")
                let pod = try await kube.objects("pods").first?["metadata"]?["uid"]?.stringValue ?? ""
                try await eventually(within: .seconds(30), "the pod's end is told", every: .milliseconds(500)) {
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
}
