import Foundation
import JSON
import JobTemplates
import OrderedCollections
import TestSupport
import Testing
import Worker
import WorkerTestSupport

@testable import ProcessBackend

/// A backend with the directory, the outputs and the reporter that a test inspects.
struct Workbench {
    let directory: TemporaryDirectory
    let output = RecordingSink()
    let errors = RecordingSink()
    let reporter = RecordingReporter()
    let backend: ProcessBackend
    static let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"

    init(
        directory: TemporaryDirectory? = nil, interpreter: String? = "none", output: (any OutputSink)? = nil,
        environment: [String: String] = ["PATH": Workbench.path], checkTimeLimit: Duration = .seconds(15),
        hookTimeLimit: Duration = .seconds(60), cancelPatience: Duration = .seconds(1),
        ownsRunDirectories: Bool = false
    ) throws {
        self.directory = try directory ?? TemporaryDirectory()
        var options = ProcessBackend.Options(
            interpreter: interpreter, environment: environment, runDirectories: self.directory.file("runs"),
            ownsRunDirectories: ownsRunDirectories,
            standardOutput: output ?? self.output, standardError: errors, hookTimeLimit: hookTimeLimit,
            checkTimeLimit: checkTimeLimit)
        options.cancelPatience = cancelPatience
        backend = try ProcessBackend(options: options)
    }

    func job(
        _ command: String?, env: [String: String] = [:], streams: Bool = true, workingDirectory: String? = nil,
        flowRunID: String = UUID().uuidString.lowercased(), deploymentID: String? = nil
    ) throws -> Job<ProcessConfiguration> {
        var variables = ["PATH": Self.path, "PREFECT__FLOW_RUN_ID": flowRunID, "T": directory.path]
        variables.merge(env) { $1 }
        let configuration = try ProcessConfiguration(rendered: [
            "command": JSONValue(command), "env": JSONValue(variables.map { (key: $0.key, value: $0.value) }),
            "stream_output": .bool(streams), "working_dir": JSONValue(workingDirectory),
        ])
        return Job(
            flowRunID: flowRunID, flowRunName: "brave-otter", claimID: "c", deploymentID: deploymentID,
            configuration: configuration,
            reporter: reporter)
    }

    /// A job that runs the flow engine, prepared as by the worker.
    func engineJob(
        env: [String: String], workingDirectory: String? = nil, flowRunID: String = UUID().uuidString.lowercased(),
        deploymentID: String? = nil
    ) throws -> Job<ProcessConfiguration> {
        let rendered: JSONValue = [
            "env": JSONValue(env.map { (key: $0.key, value: $0.value) }), "working_dir": JSONValue(workingDirectory),
        ]
        let run: JSONValue = ["id": .string(flowRunID), "name": "brave-otter"]
        let configuration = try backend.prepare(
            ProcessConfiguration(rendered: rendered), for: PreparationContext(flowRun: run, flow: nil))
        return Job(
            flowRunID: flowRunID, flowRunName: "brave-otter", claimID: "c", deploymentID: deploymentID,
            configuration: configuration, reporter: reporter)
    }

    /// A job that runs a shell script.
    func shell(
        _ script: String, env: [String: String] = [:], streams: Bool = true, workingDirectory: String? = nil
    ) throws -> Job<ProcessConfiguration> {
        try job(
            "sh -c \(shellQuoted(script))", env: env, streams: streams, workingDirectory: workingDirectory)
    }

    func python(_ script: String, env: [String: String] = [:]) throws -> Job<ProcessConfiguration> {
        try job("python3 -c \(shellQuoted(script))", env: env)
    }

    func run(_ job: Job<ProcessConfiguration>) async throws -> Worker.ExitStatus {
        try await backend.wait(for: backend.start(job), job: job)
    }

    var runDirectories: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: directory.file("runs"))) ?? []
    }
}

/// A word quoted for a POSIX shell.
func shellQuoted(_ word: String) -> String {
    "'" + word.replacingOccurrences(of: "'", with: "'\"'\"'") + "'"
}

/// Whether a process exists and has not ended.
func isAlive(_ pid: pid_t) -> Bool { ProcessFacts(pid: pid).map { !$0.isZombie } ?? false }

/// The processes whose environment names a flow run.
func processes(of flowRunID: String) -> [pid_t] {
    ProcessFacts.all().filter {
        !$0.isZombie && ProcessFacts.environmentValue(of: $0.pid, "PREFECT__FLOW_RUN_ID") == flowRunID
    }.map(\.pid)
}
