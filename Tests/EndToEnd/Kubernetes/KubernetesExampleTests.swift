import Foundation
import PrefectJSON
import TestSupport
import Testing

@Suite(
    "The Kubernetes example", .requires(.prefectServer, .kubernetes), .image("TEST_IMAGE", madeBy: "image"),
    .oneOnCluster,
    .bounded)
struct KubernetesExampleTests {
    private static let namespace = "prefect"

    /// Whether the example's namespace does not exist, so that the test may create and remove it.
    private static func isFree() async -> Bool {
        let found = try? await KubeBench.kubectl(["get", "namespace", namespace, "--ignore-not-found", "-o", "name"])
        return found?.isEmpty == true
    }

    @Test(
        "the commands of the example's README install a worker that runs flows, for an API with credentials",
        .enabled("needs a cluster without a namespace 'prefect'", isFree))
    func readme() async throws {
        try await withTemporaryDirectory { directory in
            let server = try OwnServer(directory: directory)
            try await server.whileRunning {
                try await withTestBench(on: server.client, createsPool: false) { bench in
                    let example = try await Example(bench)
                    do {
                        try await follow(example, bench)
                    } catch {
                        let log = try? await KubeBench.kubectl([
                            "-n", Self.namespace, "logs", "deployment/prefect-worker", "--tail=50",
                        ])
                        await remove()
                        throw Explained(error: error, detail: log ?? "there is no log")
                    }
                    await remove()
                }
            }
        }
    }

    private func follow(_ example: Example, _ bench: TestBench) async throws {
        let commands = try example.commands()
        #expect(commands.count == 7, "\(commands)")
        for command in commands {
            let outcome = try await withChildProcess(
                "/bin/sh", ["-c", command], workingDirectory: example.directory
            ) { child in
                (try await child.waitForExit(timeout: .seconds(180)), child.summary)
            }
            guard outcome.0 == .exited(0) else {
                throw Explained(error: WaitTimeout(what: command, timeout: .zero), detail: outcome.1)
            }
        }
        let run = try await bench.server.createRun(
            deployment: bench.deploy(command: "sh -c 'exit 3'", pool: Example.pool))
        let crash = try await bench.server.waitForRun(run, toBe: ["Crashed"], within: .seconds(90))
        #expect(crash["state"]?["message"]?.stringValue?.contains("status code 3") == true, "\(crash)")
        let job = try await KubeBench.kubectl(["-n", Self.namespace, "get", "jobs", "-o", "json"])
        #expect(job.contains("PREFECT_API_URL") && !job.contains("PREFECT_HOME"))
    }

    private func remove() async {
        _ = try? await KubeBench.kubectl(["delete", "namespace", Self.namespace, "--timeout=100s"])
    }

    /// A copy of the example, configured for a pool as the first step of its README describes.
    ///
    /// The worker's pod uses the host's network to reach the server and the cluster. A volume gives the pod its
    /// account's token. The clusters of the tests may have no network for pods, and may give pods no tokens.
    private struct Example {
        static let pool = "my-pool"
        /// The working directory of the commands.
        let directory: String

        init(_ bench: TestBench) async throws {
            directory = bench.directory
            let manager = FileManager.default
            let root = #filePath.components(separatedBy: "/Tests/EndToEnd/")[0]
            try manager.createDirectory(atPath: "\(directory)/examples", withIntermediateDirectories: true)
            let path = "\(directory)/examples/kubernetes"
            try manager.copyItem(atPath: "\(root)/examples/kubernetes", toPath: path)
            try bench.write("credentials.env", "PREFECT_API_AUTH_STRING=\(OwnServer.credentials)\n")
            let cluster = try await KubeBench.cluster()
            let address = cluster["server"]?.stringValue ?? ""
            try bench.write("examples/kubernetes/ca.crt", try await KubeBench.authority(of: cluster))

            let image = (ContainerBench.image("TEST_IMAGE") ?? "").split(separator: ":").map(String.init)
            var text = try String(contentsOfFile: "\(path)/kustomization.yaml", encoding: .utf8)
            let changes = [
                ("http://prefect-server.prefect.svc:4200/api", bench.server.url),
                ("WORK_POOL=my-pool", "WORK_POOL=\(Self.pool)"),
                ("newName: prefect-worker", "newName: \(image.first ?? "")"),
                ("newTag: latest", "newTag: \(image.count > 1 ? image[1] : "latest")"),
            ]
            for (old, new) in changes {
                #expect(text.contains(old))
                text = text.replacing(old, with: new)
            }
            try bench.write("examples/kubernetes/kustomization.yaml", text + Self.patch(server: address))

            var template = try JSONValue(
                parsing: await WorkerProgram.run(
                    ["template", "kubernetes"], environment: bench.environment(), in: directory
                ).output.joined(separator: "\n"))
            template.change(["variables", "properties"]) { properties in
                properties.change(["namespace"]) { $0["default"] = .string(namespace) }
                properties.change(["image"]) { $0["default"] = .string(KubeBench.image) }
            }
            _ = try await bench.server.createPool(name: Self.pool, type: "kubernetes", template: template)
        }

        /// The commands of the README: its indented lines that begin with `kubectl`.
        func commands() throws -> [String] {
            try String(contentsOfFile: "\(directory)/examples/kubernetes/README.md", encoding: .utf8)
                .split(separator: "\n").filter { $0.hasPrefix("    ") }
                .map { $0.trimmingCharacters(in: .whitespaces) }.filter { $0.hasPrefix("kubectl ") }
        }

        /// A patch with the credentials that a cluster normally gives each pod, and with the cluster's address for the
        /// tests.
        private static func patch(server: String) -> String {
            let address = server.replacing("https://", with: "").split(separator: ":")
            return """
                secretGenerator:
                  - name: cluster-authority
                    files: [ca.crt]
                patches:
                  - target: {kind: Deployment}
                    patch: |
                      - {op: add, path: /spec/template/spec/hostNetwork, value: true}
                      - op: add
                        path: /spec/template/spec/volumes/-
                        value:
                          name: account
                          projected:
                            sources:
                              - serviceAccountToken: {path: token}
                              - secret: {name: cluster-authority}
                              - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
                      - op: add
                        path: /spec/template/spec/containers/0/volumeMounts/-
                        value: {name: account, mountPath: /var/run/secrets/kubernetes.io/serviceaccount}
                      - op: add
                        path: /spec/template/spec/containers/0/env/-
                        value: {name: KUBERNETES_SERVICE_HOST, value: "\(address.first ?? "")"}
                      - op: add
                        path: /spec/template/spec/containers/0/env/-
                        value: {name: KUBERNETES_SERVICE_PORT, value: "\(address.last ?? "")"}

                """
        }
    }
}
