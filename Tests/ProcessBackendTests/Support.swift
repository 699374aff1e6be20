import BackendKit
import BackendKitTesting
import Foundation
import JobTemplates
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

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
        ownsRunDirectories: Bool = false, adjust: (inout ProcessBackend.Options) -> Void = { _ in }
    ) throws {
        self.directory = try directory ?? TemporaryDirectory()
        var options = ProcessBackend.Options(
            interpreter: interpreter, environment: environment, runDirectories: self.directory.file("runs"),
            ownsRunDirectories: ownsRunDirectories,
            standardOutput: output ?? self.output, standardError: errors, hookTimeLimit: hookTimeLimit,
            checkTimeLimit: checkTimeLimit)
        options.cancelPatience = cancelPatience
        adjust(&options)
        backend = try ProcessBackend(options: options)
    }

    func job(
        _ command: String?, env: [String: String] = [:], streams: Bool = true, workingDirectory: String? = nil,
        flowRunID: String = UUID().uuidString.lowercased(), deploymentID: String? = nil
    ) throws -> ProcessWorkload {
        var variables = ["PATH": Self.path, "PREFECT__FLOW_RUN_ID": flowRunID, "T": directory.path]
        variables.merge(env) { $1 }
        let configuration = try ProcessConfiguration(rendered: [
            "command": JSONValue(command), "env": JSONValue(variables.map { (key: $0.key, value: $0.value) }),
            "stream_output": .bool(streams), "working_dir": JSONValue(workingDirectory),
        ])
        return ProcessWorkload(
            backend: backend,
            run: RunContext(
                flowRunID: flowRunID, flowRunName: "brave-otter", claimID: "c", deploymentID: deploymentID,
                reporter: reporter), configuration: configuration)
    }

    /// A job that runs the flow engine, prepared as by the worker.
    func engineJob(
        env: [String: String], workingDirectory: String? = nil, flowRunID: String = UUID().uuidString.lowercased(),
        deploymentID: String? = nil
    ) throws -> ProcessWorkload {
        let rendered: JSONValue = [
            "env": JSONValue(env.map { (key: $0.key, value: $0.value) }), "working_dir": JSONValue(workingDirectory),
        ]
        let run: JSONValue = ["id": .string(flowRunID), "name": "brave-otter"]
        let configuration = try backend.prepared(rendered, for: PreparationContext(flowRun: run, flow: nil))
        return ProcessWorkload(
            backend: backend,
            run: RunContext(
                flowRunID: flowRunID, flowRunName: "brave-otter", claimID: "c", deploymentID: deploymentID,
                reporter: reporter), configuration: configuration)
    }

    /// A job that runs a shell script.
    func shell(
        _ script: String, env: [String: String] = [:], streams: Bool = true, workingDirectory: String? = nil
    ) throws -> ProcessWorkload {
        try job(
            "sh -c \(shellQuoted(script))", env: env, streams: streams, workingDirectory: workingDirectory)
    }

    func python(_ script: String, env: [String: String] = [:]) throws -> ProcessWorkload {
        try job("python3 -c \(shellQuoted(script))", env: env)
    }

    func run(_ job: ProcessWorkload) async throws -> BackendKit.ExitStatus {
        try await job.wait(for: job.start())
    }

    var runDirectories: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: directory.file("runs"))) ?? []
    }
}

extension ProcessBackend {
    /// The configuration of a workload that is made for a run.
    func prepared(_ rendered: JSONValue, for context: PreparationContext) throws -> ProcessConfiguration {
        let run = RunContext(
            flowRunID: "run-1", flowRunName: "brave-otter", claimID: "c", deploymentID: nil,
            reporter: RecordingReporter())
        return try #require(workload(rendered: rendered, for: run, preparing: context) as? ProcessWorkload)
            .configuration
    }
}

extension ProcessWorkload {
    /// The same workload in another process of the worker.
    func on(_ backend: ProcessBackend) -> ProcessWorkload {
        ProcessWorkload(backend: backend, run: run, configuration: configuration)
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
