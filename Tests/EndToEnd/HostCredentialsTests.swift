import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@Suite("A job variable that names a credential program of the worker's host", .bounded)
struct HostCredentialsTests {
    /// Serves a Kubernetes pool with a due run. The pool's template names a cluster with a credential program.
    ///
    /// - Parameter body: Gets the API, the run's id and the path of the file that the program creates.
    private func withRun(
        _ arguments: [String], variables: [String: String] = [:],
        _ body: (FakePrefectAPI, String, String) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            let marker = "\(directory)/has-run"
            let program = "\(directory)/credentials"
            try TestFile.write("#!/bin/sh\ntouch '\(marker)'\nexit 1\n", to: program, isExecutable: true)
            let printed = try await WorkerProgram.run(
                ["template", "kubernetes"], environment: WorkerProgram.environment(home: directory), in: directory)
            var template = try JSONValue(parsing: printed.output.joined(separator: "\n"))
            let config: JSONValue = [
                "current-context": "c", "contexts": [["name": "c", "context": ["cluster": "k", "user": "u"]]],
                "clusters": [["name": "k", "cluster": ["server": "https://127.0.0.1:1"]]],
                "users": [
                    [
                        "name": "u",
                        "user": [
                            "exec": ["command": .string(program), "apiVersion": "client.authentication.k8s.io/v1"]
                        ],
                    ]
                ],
            ]
            var configuration = template["job_configuration"] ?? [:]
            configuration["cluster_config"] = ["config": config]
            template["job_configuration"] = configuration
            try await withFakePrefectAPI { api in
                let pool = api.addPool(name: "p", type: "kubernetes", template: template)
                let deployment = api.addDeployment(name: "d", flow: api.addFlow(name: "f"), pool: pool)
                let run = api.scheduleRun(deployment: deployment)
                let environment = WorkerProgram.environment(
                    home: directory,
                    ["PREFECT_API_URL": api.url, "PREFECT_WORKER_QUERY_SECONDS": "1", "KUBECONFIG": "/no/such/file"]
                        .merging(variables) { $1 })
                try await withChildProcess(
                    WorkerProgram.path, ["start", "--pool", "p", "--name", "w"] + arguments, environment: environment,
                    workingDirectory: directory
                ) { worker in
                    try await worker.waitForLine(containing: "started")
                    try await body(api, run, marker)
                }
            }
        }
    }

    @Test("without permission no credential program runs, and the run's crash names the member and the remedy")
    func refused() async throws {
        try await withRun([]) { api, run, marker in
            try await api.waitUntil("the run has crashed") { $0.run(run)?.stateType == .crashed }
            let message = api.run(run)?.state?.message ?? ""
            #expect(message.contains("'exec'") && message.contains("--allow-host-credentials"), "\(message)")
            #expect(!FileManager.default.fileExists(atPath: marker))
        }
    }

    @Test(
        "a credential program runs where the operator allows it",
        arguments: [(["--allow-host-credentials"], [:]), ([], ["PREFECT_WORKER_ALLOW_HOST_CREDENTIALS": "true"])])
    func allowed(arguments: [String], variables: [String: String]) async throws {
        try await withRun(arguments, variables: variables) { _, _, marker in
            try await eventually(within: .seconds(30), "the program has run") {
                FileManager.default.fileExists(atPath: marker)
            }
        }
    }
}
