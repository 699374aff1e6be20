import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@Suite("Faults with Kubernetes jobs", .requires(.prefectServer, .kubernetes), .oneOnCluster, .bounded)
struct KubernetesFaultTests {
    /// Deploys a program that sets the run's states itself and notes them. It runs until a file exists in the bench's
    /// directory.
    private func quickRun(_ kube: KubeBench, until end: String) async throws -> String {
        let program = try kube.bench.write("quick.py", FlowSource.quickRun)
        let directory = kube.bench.directory
        return try await kube.bench.deploy(command: "python \(program) \(directory)/runs \(directory)/\(end)")
    }

    /// Deploys a shell that exits with a code as soon as a file exists in the bench's directory.
    private func shell(_ kube: KubeBench, until end: String, exit code: Int) async throws -> String {
        try await kube.deploy(shell: "while [ ! -e \(kube.bench.directory)/\(end) ]; do sleep 0.2; done; exit \(code)")
    }

    @Test("a deleted job crashes its run; a flow with a deleted pod runs again, in one active job")
    func deleted() async throws {
        try await withKubeBench { kube in
            let server = kube.server
            let deployment = try await quickRun(kube, until: "never")
            let jobless = try await server.createRun(deployment: deployment)
            let flow = try await server.createRun(deployment: kube.bench.deploy("rest"))
            try await kube.withWorker { worker in
                try await kube.waitUntilRunning(jobless)
                try await kube.kubectl(
                    "delete", "job", kube.job(of: jobless), "--cascade=foreground", "--wait=false", "--grace-period=1")
                let pod = try await kube.kubectl("get", "pods", "-l", "job-name=\(kube.job(of: jobless))", "-o", "name")
                try await kube.kubectl("delete", pod, "--grace-period=1", "--wait=false")
                let crash = try await server.waitForRun(jobless, toBe: ["Crashed", "Completed"], within: .seconds(180))
                let message = crash["state"]?["message"]?.stringValue ?? ""
                #expect(message.contains("was deleted") || message.contains("status code 1"), "\(message)")

                // The flow gives its run back when its pod is ended. The job's next pod, or another job of the same
                // run, takes the run, and never two at a time.
                try await kube.bench.waitForNotes("pid", within: .seconds(90))
                let first = try await kube.job(of: flow)
                let flowPod = try await kube.kubectl("get", "pods", "-l", "job-name=\(first)", "-o", "name")
                try await kube.kubectl("delete", flowPod, "--wait=false")
                try await eventually(within: .seconds(120), "the flow has begun again", every: .milliseconds(500)) {
                    let active = try await kube.objects("jobs").filter { $0["status"]?["active"] == 1 }
                    #expect(active.count <= 1, "\(active.count) jobs are active")
                    return kube.bench.notes("pid").count >= 2
                }
                #expect(worker.exitStatus == nil)
                try await server.setState(of: flow, to: "CANCELLING", name: "Cancelling")
                try await server.waitForRun(flow, toBe: ["Cancelled", "Crashed"], within: .seconds(60))
            }
            #expect(kube.bench.notes("pid").count == 2)
            let history = try await server.stateHistory(of: flow)
            #expect(!history.contains("Crashed"), "\(history)")
        }
    }

    @Test("during an outage of the API server no run is taken for crashed, and afterwards all ends are reported")
    func outage() async throws {
        try await withKubeBench { kube in
            let server = kube.server
            let proxy = try await FaultProxy.start(host: "127.0.0.1", port: kube.apiServerPort())
            let config = try await kube.write(kubeconfig: "https://127.0.0.1:\(proxy.port)")
            let deployment = try await quickRun(kube, until: "go")
            var runs: [String] = []
            for _ in 0..<9 { runs.append(try await server.createRun(deployment: deployment)) }
            let crashing = try await server.createRun(deployment: shell(kube, until: "go", exit: 9))
            try await kube.withWorker(["--with-healthcheck"], kubeconfig: config, variables: Probe.anyPort) { worker in
                let probe = try await Probe(worker)
                try await eventually(within: .seconds(60), "all pods run", every: .milliseconds(500)) {
                    try await kube.objects("pods").filter { $0["status"]?["phase"] == "Running" }.count == 10
                }
                try await proxy.setMode(.refuse)
                await proxy.resetConnections()
                try kube.bench.write("go", "")
                try await eventually(within: .seconds(60), "all jobs have ended", every: .milliseconds(500)) {
                    try await kube.objects("jobs").allSatisfy { $0["status"]?["conditions"] != nil }
                }
                #expect(try await server.flowRun(crashing)["state_type"] == "PENDING")
                try await worker.waitForLine(containing: "cannot be watched")
                let lag = "prefect_worker_watch_lag_seconds{backend=\"kubernetes\"}"
                try await eventually("the metric shows a watch lag") { try await probe.metric(lag) ?? 0 > 0 }
                try await proxy.setMode(.pass)
                let crash = try await server.waitForRun(crashing, toBe: ["Crashed"], within: .seconds(60))
                #expect(crash["state"]?["message"]?.stringValue?.contains("code 9") == true)
                try await eventually(
                    within: .seconds(60), "all runs are reported and forgotten", every: .milliseconds(500)
                ) {
                    try await kube.bench.remains().isEmpty
                }
                for (outcome, count) in [("ended", 9), ("crashed", 1)] {
                    let sample = "prefect_worker_run_outcomes_total{outcome=\"\(outcome)\",pool=\"\(kube.bench.pool)\"}"
                    try await eventually("the runs are counted") { try await probe.metric(sample) == Double(count) }
                }
                try await eventually("the metric shows no watch lag") { try await probe.metric(lag) == 0 }
            }
            await proxy.stop()
            for run in runs {
                #expect(try await server.stateHistory(of: run).last == "Completed")
                try await kube.expectEvents(["prefect.worker.executed-flow-run"], of: "prefect.flow-run.\(run)")
            }
            #expect(kube.bench.notes("runs").count { $0.hasPrefix("begin ") } == 9)
        }
    }

    @Test("a worker that is killed and restarted reports each missed end once, and starts no run twice")
    func restart() async throws {
        try await withKubeBench { kube in
            let server = kube.server
            let short = try await server.createRun(deployment: shell(kube, until: "short", exit: 5))
            let long = try await server.createRun(deployment: quickRun(kube, until: "long"))
            let variables = kube.bench.environment(kube.variables())
            try await withChildProcess(
                WorkerProgram.path, kube.bench.arguments(), environment: variables,
                workingDirectory: kube.bench.directory
            ) { worker in
                try await kube.waitUntilRunning(long)
                _ = try await kube.job(of: short)
                worker.send(.kill)
                try await worker.waitForExit()
            }
            try kube.bench.write("short", "")
            try await eventually(within: .seconds(60), "the short run's job has failed", every: .milliseconds(500)) {
                try await kube.objects("jobs").contains { $0["status"]?["failed"] == 1 }
            }
            #expect(try await server.flowRun(short)["state_type"] == "PENDING")
            try await kube.withWorker { worker in
                let crash = try await server.waitForRun(short, toBe: ["Crashed"], within: .seconds(30))
                #expect(crash["state"]?["message"]?.stringValue?.contains("code 5") == true)
                try await worker.waitForLine(containing: "still runs as '\(kube.namespace):")
                try kube.bench.write("long", "")
                try await server.waitForRun(long, toBe: ["Completed", "Crashed"], within: .seconds(60))
                try await eventually(
                    within: .seconds(90), "no row and no run directory remains", every: .milliseconds(500)
                ) {
                    try await kube.bench.remains().isEmpty
                }
            }
            #expect(try await kube.objects("jobs").count == 2)
            #expect(try await server.stateHistory(of: long).last == "Completed")
            #expect(kube.bench.notes("runs").count == 2)
            for run in [short, long] {
                try await kube.expectEvents(["prefect.worker.executed-flow-run"], of: "prefect.flow-run.\(run)")
                let pod = try #require(
                    try await kube.objects("pods").first {
                        $0["metadata"]?["labels"]?["prefect.io/flow-run-id"]?.stringValue == run
                    }?["metadata"]?["uid"]?.stringValue)
                // Reports of the last moment before the kill may be lost with the worker.
                let names = run == short ? ["failed"] : ["running", "succeeded"]
                try await kube.expectEvents(
                    names.map { "prefect.kubernetes.pod.\($0)" }, of: "prefect.kubernetes.pod.\(pod)")
            }
        }
    }

    @Test("a worker with limited permissions runs flows, and names the verbs that it lacks")
    func rights() async throws {
        try await withKubeBench { kube in
            let server = kube.server
            let config = try await kube.serviceAccount(
                rules: "create,get,list,watch,delete:batch:jobs get,list,watch::pods")
            let run = try await server.createRun(
                deployment: kube.deploy(shell: "echo unheard; exit 4", jobVariables: ["pod_watch_timeout_seconds": 1]))
            let slow = try await server.createRun(
                deployment: kube.deploy(
                    shell: "true", jobVariables: ["pod_watch_timeout_seconds": 1, "image": "registry.invalid/none:1"]))
            try await kube.withWorker(kubeconfig: config) { worker in
                try await worker.waitForLine(containing: "may not get pods/log in the namespace '\(kube.namespace)'")
                try await worker.waitForLine(containing: "may not list events")
                let crash = try await server.waitForRun(run, toBe: ["Crashed"], within: .seconds(60))
                #expect(crash["state"]?["message"]?.stringValue?.contains("code 4") == true)
                try await kube.waitForLog(of: slow, containing: "cannot be pulled", within: .seconds(90))
                try await server.setState(of: slow, to: "CANCELLING", name: "Cancelling")
                try await server.waitForRun(slow, toBe: ["Cancelled"], within: .seconds(120))
                #expect(!worker.output.contains { $0.contains("unheard") })
            }
            // The command `check` reports each missing verb as WRONG, for every namespace of the pool's jobs.
            _ = try await kube.deploy(shell: "true", jobVariables: ["namespace": "kube-public"])
            let check = try await WorkerProgram.run(
                ["check", "--pool", kube.bench.pool],
                environment: kube.bench.environment(kube.variables(kubeconfig: config)),
                in: kube.bench.directory)
            #expect(check.status == .exited(1), "\(check.text)")
            for lack in [
                "may not get pods/log in the namespace '\(kube.namespace)', which the template of work pool",
                "may not create jobs in the namespace 'kube-public', which deployment 'command-",
            ] {
                #expect(check.output.contains { $0.hasPrefix("WRONG") && $0.contains(lack) }, "\(check.text)")
            }
            // Without the right to create jobs, the run crashes, and the reason names the missing right.
            let bare = try await kube.serviceAccount(rules: "get::pods")
            let refused = try await server.createRun(deployment: kube.deploy(shell: "true"))
            try await kube.withWorker(kubeconfig: bare) { _ in
                let crash = try await server.waitForRun(refused, toBe: ["Crashed"], within: .seconds(60))
                let message = crash["state"]?["message"]?.stringValue ?? ""
                #expect(message.contains("may not create jobs in the namespace '\(kube.namespace)'"), "\(message)")
            }
        }
    }

    @Test(
        "a worker without a cluster or its context exits with the reason; a worker with an expired token waits"
    )
    func noCluster() async throws {
        try await withKubeBench { kube in
            let run = { (variables: [String: String]) in
                try await WorkerProgram.run(
                    kube.bench.arguments(), environment: kube.bench.environment(variables), in: kube.bench.directory)
            }
            let none = try await run(["KUBECONFIG": "/no/such/file"])
            #expect(none.status == .exited(1))
            #expect(none.text.contains("No cluster is configured: /no/such/file cannot be found"))
            let wrong = try kube.bench.write("wrong", "current-context: ghost\ncontexts: []")
            #expect(try await run(["KUBECONFIG": wrong]).text.contains("has no context 'ghost'"))
            let expired = try await kube.write(kubeconfig: nil, token: "expired")
            let waiting = try await kube.server.createRun(deployment: kube.deploy(shell: "true"))
            try await kube.withWorker(kubeconfig: expired) { worker in
                try await worker.waitForLine(containing: "The worker keeps trying")
                try await worker.waitForLine(containing: "is connected")
                #expect(try await kube.server.flowRun(waiting)["state_type"] == "SCHEDULED")
                // The worker has not started, because it cannot take runs.
                #expect(!worker.errors.contains { $0.contains("started!") })
            }
            #expect(try await kube.server.flowRun(waiting)["state_type"] == "SCHEDULED")
        }
    }

    @Test("a worker without a cluster serves a pool whose template names a cluster")
    func clusterOfThePool() async throws {
        let config = try String(contentsOfFile: Engine.kubernetes.address ?? "", encoding: .utf8)
        try await withKubeBench { template in
            template.change(["job_configuration"]) { $0["cluster_config"] = ["config": .string(config)] }
        } _: { kube in
            let run = try await kube.server.createRun(deployment: kube.deploy(shell: "exit 4"))
            let environment = kube.bench.environment(kube.variables(kubeconfig: "/no/such/file"))
            for (arguments, status) in [(["--pool", kube.bench.pool], Int32(0)), (["--type", "kubernetes"], 1)] {
                let checked = try await WorkerProgram.run(
                    ["check"] + arguments, environment: environment, in: kube.bench.directory)
                #expect(checked.status == .exited(status), "\(checked.text)")
                #expect(checked.text.contains("Only jobs that name their own infrastructure") == (status == 0))
            }
            try await kube.withWorker(kubeconfig: "/no/such/file") { worker in
                try await worker.waitForLine(containing: "Only jobs that name their own infrastructure can run")
                let crash = try await kube.server.waitForRun(run, toBe: ["Crashed"], within: .seconds(60))
                #expect(crash["state"]?["message"]?.stringValue?.contains("code 4") == true)
            }
        }
    }

    @Test("an evicted pod is reported as evicted")
    func evicted() async throws {
        // No scheduler takes the pod, so nothing else changes its status.
        try await withKubeBench { template in
            template.change(["job_configuration", "job_manifest", "spec", "template", "spec"]) {
                $0["schedulerName"] = "nobody"
            }
        } _: { kube in
            let run = try await kube.server.createRun(deployment: kube.deploy(shell: "true"))
            try await kube.withWorker { _ in
                _ = try await kube.job(of: run)
                var pod: JSONValue = .null
                try await eventually(within: .seconds(30), "the job has a pod", every: .milliseconds(300)) {
                    pod = try await kube.objects("pods").first ?? .null
                    return pod != .null
                }
                // The worker does not report a phase that ends before the worker has read it.
                let uid = try #require(pod["metadata"]?["uid"]?.stringValue)
                try await eventually(within: .seconds(60), "the server has the pod's event", every: .milliseconds(500))
                {
                    try await !kube.server.events(
                        named: ["prefect.kubernetes.pod.pending"], resource: "prefect.kubernetes.pod.\(uid)"
                    ).isEmpty
                }
                pod = try #require(try await kube.objects("pods").first)
                pod["status"] = [
                    "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory.",
                ]
                let file = try kube.bench.write("evicted.json", pod.serialized())
                let name = pod["metadata"]?["name"]?.stringValue ?? ""
                let path = "/api/v1/namespaces/\(kube.namespace)/pods/\(name)/status"
                _ = try await KubeBench.kubectl(["replace", "--raw", path, "-f", file])
                let crash = try await kube.server.waitForRun(run, toBe: ["Crashed"], within: .seconds(60))
                let message = crash["state"]?["message"]?.stringValue ?? ""
                #expect(message.contains("evicted from its node: The node was low on resource"), "\(message)")
                try await kube.expectEvents(
                    ["pending", "evicted"].map { "prefect.kubernetes.pod.\($0)" }, of: "prefect.kubernetes.pod.\(uid)")
            }
        }
    }
}

extension KubeBench {
    /// Waits until a resource has events of these names, and expects each of them once.
    fileprivate func expectEvents(_ names: [String], of resource: String) async throws {
        var found: [String] = []
        try await eventually(within: .seconds(60), "\(resource) has its events", every: .milliseconds(500)) {
            found = try await server.events(named: names, resource: resource).compactMap { $0["event"]?.stringValue }
            return Set(found).isSuperset(of: names)
        }
        #expect(found.sorted() == names.sorted())
    }

    /// The tests' own kubeconfig, reduced to its current context.
    private func cluster() async throws -> JSONValue {
        try JSONValue(parsing: await Self.kubectl(["config", "view", "--raw", "--minify", "-o", "json"]))
    }

    fileprivate func apiServerPort() async throws -> Int {
        let server = try await cluster()["clusters"]?[0]?["cluster"]?["server"]?.stringValue ?? ""
        return try #require(server.split(separator: ":").last.flatMap { Int($0) })
    }

    /// Writes a kubeconfig for the namespace, with another address or another token.
    fileprivate func write(kubeconfig server: String?, token: String? = nil) async throws -> String {
        var config = try await cluster()
        let address = server ?? config["clusters"]?[0]?["cluster"]?["server"]?.stringValue ?? ""
        config["clusters"] = [
            ["name": "c", "cluster": ["server": .string(address), "insecure-skip-tls-verify": true]]
        ]
        let user = token.map { ["token": .string($0)] } ?? config["users"]?[0]?["user"] ?? [:]
        config["users"] = [["name": "u", "user": user]]
        config["contexts"] = [
            ["name": "x", "context": ["cluster": "c", "user": "u", "namespace": .string(namespace)]]
        ]
        config["current-context"] = "x"
        return try bench.write("kubeconfig-\(TestBench.unique())", config.serialized())
    }

    /// A kubeconfig of a service account with these permissions: `verbs:group:resources …`.
    fileprivate func serviceAccount(rules: String) async throws -> String {
        let name = "account-\(TestBench.unique())"
        let written = rules.split(separator: " ").map { rule in
            let parts = rule.split(separator: ":", omittingEmptySubsequences: false)
            return "{verbs: [\(parts[0])], apiGroups: [\"\(parts[1])\"], resources: [\(parts[2])]}"
        }
        try await kubectl(
            "apply",
            input: """
                apiVersion: v1
                kind: ServiceAccount
                metadata: {name: \(name)}
                ---
                apiVersion: v1
                kind: Secret
                type: kubernetes.io/service-account-token
                metadata: {name: \(name), annotations: {kubernetes.io/service-account.name: \(name)}}
                ---
                apiVersion: rbac.authorization.k8s.io/v1
                kind: Role
                metadata: {name: \(name)}
                rules: [\(written.joined(separator: ", "))]
                ---
                apiVersion: rbac.authorization.k8s.io/v1
                kind: RoleBinding
                metadata: {name: \(name)}
                roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: \(name)}
                subjects: [{kind: ServiceAccount, name: \(name), namespace: \(namespace)}]
                """)
        var token = ""
        try await eventually(within: .seconds(30), "the account has a token", every: .milliseconds(300)) {
            let encoded = try await kubectl("get", "secret", name, "-o", "jsonpath={.data.token}")
            token = Data(base64Encoded: encoded).map { String(decoding: $0, as: UTF8.self) } ?? ""
            return !token.isEmpty
        }
        return try await write(kubeconfig: nil, token: token)
    }
}
