import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

/// A bench whose pool uses a new namespace of the cluster that `KUBECONFIG` names.
///
/// The pods use the host's network to reach the server, and have the bench's directory at the same path.
struct KubeBench: Sendable {
    /// The pool, the server and the directory.
    let bench: TestBench
    /// The namespace.
    let namespace: String
    /// The kubeconfig of the workers.
    let kubeconfig: String

    /// The image of the flows.
    static let image = ProcessInfo.processInfo.environment["PREFECT_TEST_IMAGE"] ?? "prefecthq/prefect:3-latest"

    var server: PrefectServerClient { bench.server }

    /// Runs `kubectl` in the namespace and returns its output.
    @discardableResult
    func kubectl(_ arguments: String..., input: String? = nil) async throws -> String {
        var arguments = arguments
        if let input {
            arguments += ["-f", try bench.write("input-\(TestBench.unique()).yaml", input)]
        }
        return try await Self.kubectl(["--namespace", namespace] + arguments)
    }

    /// The objects of a kind in the namespace.
    func objects(_ kind: String) async throws -> [JSONValue] {
        try JSONValue(parsing: await kubectl("get", kind, "-o", "json"))["items"]?.arrayValue ?? []
    }

    static func kubectl(_ arguments: [String]) async throws -> String {
        try await withChildProcess("kubectl", arguments) { child in
            let status = try await child.waitForExit(timeout: .seconds(120))
            guard status == .exited(0) else {
                throw Explained(error: WaitTimeout(what: "kubectl", timeout: .zero), detail: child.summary)
            }
            return child.output.joined(separator: "\n")
        }
    }

    /// The cluster of the tests' kubeconfig.
    static func cluster() async throws -> JSONValue {
        let config = try await kubectl(["config", "view", "--raw", "--minify", "--flatten", "-o", "json"])
        return try JSONValue(parsing: config)["clusters"]?[0]?["cluster"] ?? [:]
    }

    /// The authority of a cluster's certificate, from the tests' kubeconfig or else from the cluster itself.
    static func authority(of cluster: JSONValue) async throws -> String {
        if let data = cluster["certificate-authority-data"]?.stringValue.flatMap({ Data(base64Encoded: $0) }) {
            return String(decoding: data, as: UTF8.self)
        }
        let address = (cluster["server"]?.stringValue ?? "").replacing("https://", with: "")
        return try await withChildProcess(
            "/bin/sh", ["-c", "openssl s_client -connect \(address) -showcerts </dev/null 2>/dev/null"]
        ) { child in
            _ = try await child.waitForExit(timeout: .seconds(30))
            return child.output.joined(separator: "\n") + "\n"
        }
    }

    /// Deploys a command that a shell in the pod runs.
    func deploy(shell: String, jobVariables: JSONValue = [:]) async throws -> String {
        try await bench.deploy(command: "sh -c '\(shell)'", jobVariables: jobVariables)
    }

    /// Runs a worker on the pool while `body` runs.
    func withWorker<Result>(
        name: String = "bench", _ others: [String] = [], kubeconfig: String? = nil, variables: [String: String] = [:],
        isolation: isolated (any Actor)? = #isolation, _ body: (ChildProcess) async throws -> Result
    ) async throws -> Result {
        try await bench.withWorker(
            name: name, others, variables: self.variables(kubeconfig: kubeconfig).merging(variables) { $1 }, body)
    }

    /// The additional environment variables of a worker.
    func variables(kubeconfig: String? = nil) -> [String: String] {
        ["KUBECONFIG": kubeconfig ?? self.kubeconfig, "PREFECT_WORKER_CANCELLATION_POLL_SECONDS": "1"]
    }

    /// Waits until the run's log has a line with a text, and returns it.
    @discardableResult
    func waitForLog(of run: String, containing part: String, within timeout: Duration = .seconds(60)) async throws
        -> String
    {
        var found: String?
        do {
            try await eventually(within: timeout, "the run's log has '\(part)'", every: .milliseconds(300)) {
                found = try await server.logs(of: run).first { $0.contains(part) }
                return found != nil
            }
        } catch {
            let logs = try await server.logs(of: run)
            throw Explained(error: error, detail: "the log is \(logs)")
        }
        return found ?? ""
    }

    /// The name of a run's job. Waits until the API has it.
    func job(of run: String) async throws -> String {
        var name = ""
        try await eventually(within: .seconds(30), "the run has a job", every: .milliseconds(200)) {
            let identifier = try await server.flowRun(run)["infrastructure_pid"]?.stringValue ?? ""
            name = identifier.split(separator: ":").last.map(String.init) ?? ""
            return identifier.hasPrefix("\(namespace):") && !name.isEmpty
        }
        return name
    }

    /// Waits until the flow of a run has begun in its pod.
    func waitUntilRunning(_ run: String) async throws {
        try await server.waitForRun(run, toBe: ["Running", "Completed", "Crashed", "Failed"], within: .seconds(90))
    }
}

/// Runs `body` with a new pool and a new namespace, and removes both afterwards.
func withKubeBench<Result>(
    template change: (inout JSONValue) -> Void = { _ in }, isolation: isolated (any Actor)? = #isolation,
    _ body: (KubeBench) async throws -> Result
) async throws -> Result {
    try await withTestBench(createsPool: false) { bench in
        let namespace = "e2e-\(TestBench.unique())"
        let printed = try await WorkerProgram.run(
            ["template", "kubernetes"], environment: bench.environment(), in: bench.directory)
        var template = try JSONValue(parsing: printed.output.joined(separator: "\n"))
        template.change(["job_configuration", "job_manifest", "spec", "template", "spec"]) { spec in
            spec["hostNetwork"] = true
            spec["volumes"] = [["name": "bench", "hostPath": ["path": .string(bench.directory)]]]
            guard var container = spec["containers"]?[0] else { return }
            container["volumeMounts"] = [["name": "bench", "mountPath": .string(bench.directory)]]
            spec["containers"] = [container]
        }
        template.change(["variables", "properties"]) { properties in
            properties.change(["image"]) { $0["default"] = .string(KubeBench.image) }
            properties.change(["namespace"]) { $0["default"] = .string(namespace) }
        }
        change(&template)
        _ = try await bench.server.createPool(name: bench.pool, type: "kubernetes", template: template)
        _ = try await KubeBench.kubectl(["create", "namespace", namespace])
        let kube = KubeBench(bench: bench, namespace: namespace, kubeconfig: Engine.kubernetes.address ?? "")
        do {
            let result = try await body(kube)
            await kube.remove()
            return result
        } catch {
            await kube.remove()
            throw error
        }
    }
}

extension KubeBench {
    /// Removes the namespace, without waiting for the end of the removal.
    fileprivate func remove() async {
        _ = try? await kubectl("delete", "pods", "--all", "--grace-period=0", "--force")
        _ = try? await Self.kubectl(["delete", "namespace", namespace, "--wait=false"])
    }
}

extension JSONValue {
    /// Changes the object at a path, and creates missing objects on the way.
    mutating func change(_ path: [String], _ body: (inout JSONValue) -> Void) {
        guard let key = path.first else { return body(&self) }
        var member = self[key] ?? [:]
        member.change(Array(path.dropFirst()), body)
        self[key] = member
    }
}
