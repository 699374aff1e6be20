import PrefectJSON
import TestSupport
import Testing

/// A worker with one run in flight, for tests that look at the worker.
struct StatusBench {
    let api: FakePrefectAPI
    let worker: ChildProcess
    let probe: Probe
    /// The id of the run in flight.
    let run: String
    /// The directory of the worker and of its flow runs. The run ends when it has a file `go`.
    let directory: String
    let environment: [String: String]

    /// A name that is HTML, and that reverses and controls the text around it.
    static let runName = #"<script>document.title="owned"</script>"# + "\u{202E}\u{9B}31m<img src=x onerror=alert(1)>"

    /// Runs a worker of the pool `p` with a limit of 5 runs, its probes and a status page during `body`.
    static func with(_ body: (StatusBench) async throws -> Void) async throws {
        try await withFakePrefectAPI { api in
            try await withTemporaryDirectory { directory in
                let pool = api.addPool(name: "p")
                let deployment = api.addDeployment(
                    name: "d", flow: api.addFlow(name: "f"), pool: pool,
                    jobVariables: [
                        "command": "sh -c 'until test -e go; do sleep 0.05; done'", "working_dir": .string(directory),
                    ])
                let run = api.scheduleRun(deployment: deployment, name: runName)
                let environment = WorkerProgram.environment(
                    home: directory,
                    [
                        "PREFECT_API_URL": api.url, "PREFECT_WORKER_STATUS_PAGE": "true",
                        "PREFECT_WORKER_QUERY_SECONDS": "1",
                    ])
                try await withChildProcess(
                    WorkerProgram.path,
                    [
                        "start", "--pool", "p", "--name", "<b>w", "--limit", "5", "--python", "none",
                        "--with-healthcheck",
                    ],
                    environment: environment.merging(Probe.anyPort) { $1 }, workingDirectory: directory
                ) { worker in
                    let bench = StatusBench(
                        api: api, worker: worker, probe: try await Probe(worker), run: run, directory: directory,
                        environment: environment)
                    try await eventually("the run is in flight") {
                        let runs = try await bench.probe.status()["runs_in_flight"]?["oldest"]?.arrayValue
                        return runs?.first?["stage"] == "running"
                    }
                    try await body(bench)
                    try TestFile.write("", to: "\(directory)/go")
                    worker.send(.terminate)
                    #expect(try await worker.waitForExit(timeout: .seconds(60)) == .exited(0))
                }
            }
        }
    }
}
