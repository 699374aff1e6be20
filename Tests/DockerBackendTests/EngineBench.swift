import BackendKit
import BackendKitTesting
import Foundation
import JobTemplates
import PrefectJSON
import Synchronization
import TestSupport

@testable import DockerBackend

/// A backend that watches a scripted Engine.
struct EngineBench: Sendable {
    let backend: DockerBackend
    let engine: ScriptedEngine
    let reporter = RecordingReporter()
    let sink: RecordingSink
    let log: CapturedLog

    func job(_ rendered: JSONValue = [:]) throws -> DockerWorkload {
        var rendered = rendered
        if rendered["image"] == nil { rendered["image"] = "i:1" }
        let configuration = try DockerConfiguration(rendered: rendered).prepared(
            for: PreparationContext(flowRun: ["id": "run-1", "name": "brave-otter"], flow: nil))
        return DockerWorkload(
            backend: backend,
            run: RunContext(
                flowRunID: "run-1", flowRunName: "brave-otter", claimID: "claim-1", deploymentID: nil,
                reporter: reporter), configuration: configuration)
    }
}

func withBackend<Result: Sendable>(
    _ script: @escaping ScriptedEngine.Script, _ body: (EngineBench) async throws -> Result
) async throws -> Result {
    let engine = try ScriptedEngine(script)
    defer { engine.stop() }
    let log = CapturedLog()
    let sink = RecordingSink()
    var options = DockerBackend.Options(
        environment: ["DOCKER_HOST": "unix://\(engine.path)", "HOME": "/nowhere"], standardOutput: sink,
        standardError: sink, logger: log.logger)
    options.orphanGrace = .milliseconds(50)
    let backend = try DockerBackend(options: options)
    let bench = EngineBench(backend: backend, engine: engine, sink: sink, log: log)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await backend.run() }
        let result = try await body(bench)
        group.cancelAll()
        return result
    }
}

extension EngineBench {
    static let id = String(repeating: "ab", count: 32)
    static let present = ScriptedEngine.Reply.json(200, ["Id": "sha256:0"])

    static func inspection(_ status: String, code: Int = 0, finished: String? = nil, memory: Int = 0)
        -> ScriptedEngine.Reply
    {
        .json(
            200,
            [
                "Id": .string(id), "Name": "/brave-otter",
                "State": [
                    "Status": .string(status), "ExitCode": .int(code),
                    "FinishedAt": finished.map(JSONValue.string) ?? .null,
                ],
                "Config": ["Tty": false], "HostConfig": ["Memory": .int(memory)],
            ])
    }

    /// The script of an Engine on which every request succeeds. Its container has exited with code 3.
    static let well: ScriptedEngine.Script = { request in
        switch (request.method, request.path) {
        case (_, "/images/i:1/json"): present
        case (_, "/containers/create"): .json(201, ["Id": .string(id), "Warnings": []])
        case (_, "/events"): .open([])
        case ("POST", _): .json(204, .null)
        case (_, "/containers/\(id)/json"): inspection("exited", code: 3)
        case (_, "/containers/json"): .json(200, [])
        default: .lines([])
        }
    }

    static let created = "POST /containers/create"
}
