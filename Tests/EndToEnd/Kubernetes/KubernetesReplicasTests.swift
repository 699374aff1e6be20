import PrefectJSON
import TestSupport
import Testing

@Suite(
    "Replicas of a worker in a cluster", .requires(.prefectServer, .kubernetes),
    .image("TEST_IMAGE", madeBy: "image"), .oneOnCluster, .bounded)
struct KubernetesReplicasTests {
    @Test("while pods of three replicas are killed at random, every run has one job and every crash is reported once")
    func kills() async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        try await withKubeBench { kube in
            let template = try #require(try await kube.server.pool(kube.bench.pool)["base_job_template"])
            let release = try await ChartRelease.ofPrefect(kube, template: template, replicas: 3)
            try await release.whileInstalled {
                try await kube.kubectl("rollout", "status", release.workload, "--timeout=300s")
                var storm = KillStorm(kube: kube, random: FuzzRandom(seed: seed))
                try await storm.addRuns(24)
                try await storm.killReplicas()
                try await storm.waitForEnds()
                var problems: [String] = []
                // Log lines arrive some seconds after the states.
                _ = try? await eventually(within: .seconds(20), "nothing is wrong", every: .seconds(2)) {
                    problems = try await storm.problems()
                    return problems.isEmpty
                }
                #expect(problems.isEmpty, "seed \(seed): \(storm.summary)\n\(problems.joined(separator: "\n"))")
            }
        }
    }
}

/// Runs that fall due while the pods of their workers are killed.
private struct KillStorm {
    let kube: KubeBench
    var random: FuzzRandom

    /// How long the runs fall due and the pods are killed.
    private static let length = Duration.seconds(32)
    /// How long the last runs may take. The server notices the loss of a worker after about 100 seconds, and the other
    /// workers look for its runs once a minute.
    private static let patience = Duration.seconds(300)

    private var isCrashing: [String: Bool] = [:]
    private var kills: [String] = []
    /// The runs that had crashed before the last kill, which may have lost the log line of the report.
    private var crashedEarly: Set<String> = []

    init(kube: KubeBench, random: FuzzRandom) {
        self.kube = kube
        self.random = random
    }

    private var server: PrefectServerClient { kube.server }

    /// For messages.
    var summary: String { "killed \(kills.count) pods" }

    /// Creates runs that fall due at random times. Every second run exits with code 3.
    mutating func addRuns(_ count: Int) async throws {
        let program = try kube.bench.write("quick.py", FlowSource.quickRun)
        let deployment = try await kube.bench.deploy(command: "true")
        for index in 0..<count {
            let seconds = Int.random(in: 5...15, using: &random)
            let delay = Int.random(in: 0...Int(Self.length.components.seconds), using: &random)
            let command =
                "python \(program) \(kube.bench.directory)/runs \(seconds)" + (index % 2 == 0 ? "" : " crash")
            let run = try await server.createRun(
                deployment: deployment, after: .seconds(delay), jobVariables: ["command": .string(command)])
            isCrashing[run] = index % 2 != 0
        }
    }

    /// Kills a random replica every few seconds. Two of three get no signal that they could handle.
    mutating func killReplicas() async throws {
        let end = ContinuousClock.now + Self.length
        while ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(Int.random(in: 1500...4500, using: &random)))
            let pods = try await kube.objects("pods").filter {
                $0["metadata"]?["labels"]?["app.kubernetes.io/component"] == "worker"
                    && $0["status"]?["phase"] == "Running"
            }
            guard let pod = pods.isEmpty ? nil : random.pick(pods)["metadata"]?["name"]?.stringValue else { continue }
            if !random.oneIn(3) {
                // The kubelet itself begins with SIGTERM, on which a worker gives claimed runs back.
                for process in ProcessTable.processes(withVariable: "HOSTNAME", pod) { ProcessTable.kill(process) }
            }
            try await kube.kubectl("delete", "pod", pod, "--force", "--grace-period=0")
            kills.append(pod)
        }
        crashedEarly = Set(try await kube.bench.flowRuns().filter { $0.value["state_type"] == "CRASHED" }.keys)
    }

    /// Waits until each run has ended.
    func waitForEnds() async throws {
        var open: [String] = []
        do {
            try await eventually(within: Self.patience, "all runs have ended", every: .seconds(1)) {
                let jobs = try await jobsOfRuns()
                open = try await kube.bench.flowRuns().compactMap { run, found in
                    let state = found["state_type"]?.stringValue ?? ""
                    guard !TestBench.finalStates.contains(state) else { return nil }
                    return "\(run) is \(state), with \(jobs[run]?.count ?? 0) jobs"
                }
                return open.isEmpty
            }
        } catch {
            throw Explained(error: error, detail: "\(summary)\n\(open.joined(separator: "\n"))")
        }
    }

    /// The names of the jobs of each run.
    private func jobsOfRuns() async throws -> [String: [String]] {
        try await kube.objects("jobs").reduce(into: [:]) { names, job in
            guard let run = job["metadata"]?["labels"]?["prefect.io/flow-run-id"]?.stringValue else { return }
            names[run, default: []].append(job["metadata"]?["name"]?.stringValue ?? "")
        }
    }

    /// The problems with the runs.
    func problems() async throws -> [String] {
        var problems: [String] = []
        let jobs = try await jobsOfRuns()
        let notes = kube.bench.notes("runs")
        let states = try await kube.bench.flowRuns()
        for (run, isCrashing) in isCrashing {
            let begun = notes.count { $0 == "begin \(run)" }
            if begun != 1 || jobs[run]?.count != 1 {
                problems.append("\(run) began \(begun) times in \(jobs[run] ?? [])")
            }
            let message = states[run]?["state"]?["message"]?.stringValue ?? ""
            let history = try await server.stateHistory(of: run)
            let lines = isCrashing ? try await server.logs(of: run) : []
            let crashes = history.count { $0 == "Crashed" }
            let reports = lines.count { $0.contains("as crashed: Flow run infrastructure exited") }
            let expected = isCrashing ? 1 : 0
            let isReported = reports == expected || reports == 0 && crashedEarly.contains(run)
            if history.last != (isCrashing ? "Crashed" : "Completed") || crashes != expected || !isReported {
                problems.append("\(run) has the states \(history) and the log \(lines)")
            } else if isCrashing, !message.contains("status code 3.") {
                problems.append("\(run) crashed without its exit code: \(message)")
            }
        }
        return problems
    }
}
