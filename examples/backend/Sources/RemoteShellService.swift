import BackendKit
import JobTemplates

/// Runs flow runs on another machine through a command like `ssh`, for work pools of the type `remote-shell`.
///
/// A run is a process in a session of its own. A directory on that machine records its output and its exit code, so a
/// worker that starts again finds every run.
public typealias RemoteShellBackend = RemoteTaskBackend<RemoteShellService>

/// The requests that make a backend of a remote shell.
public struct RemoteShellService: RemoteTaskService {
    public static let traits = BackendTraits(
        type: "remote-shell", workerName: "RemoteShellWorker",
        makeBaseJobTemplate: {
            PoolTemplate.template(own: [
                "shell": [
                    "type": "string", "title": "Shell", "default": "sh",
                    "description": "The command that runs a POSIX shell on the machine, like 'ssh -T user@host'.",
                ],
                "directory": [
                    "type": "string", "title": "Directory", "default": ".prefect-runs",
                    "description": "The directory on the machine with a directory for each run.",
                ],
                "stream_output": PoolTemplate.flag(
                    true, title: "Stream Output", "Whether the output of flow runs is printed by the worker."),
            ])
        })

    public init(host: BackendHost) throws {}

    public func specification(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws -> RemoteShellSpecification {
        let fields = RenderedFields(rendered)
        let shell = try fields.text("shell") ?? "sh"
        guard !shell.isEmpty else {
            throw InfrastructureError(.refused, "The job variable 'shell' is empty; name the command of a shell")
        }
        let base = try BaseJobConfiguration(rendered: rendered)
        return RemoteShellSpecification(
            place: .init(shell: shell, directory: try fields.text("directory") ?? ".prefect-runs"),
            prepared: try base.prepare(for: context ?? PreparationContext(run)),
            streamsOutput: try fields.boolean("stream_output", default: true))
    }

    public func client(at place: RemoteShellPlace) throws -> RemoteShellClient { RemoteShellClient(place: place) }

    public func check(_ pools: [PoolJobs]) async -> BackendReport {
        BackendReport(findings: [
            .init(subject: "remote shell", detail: "each job names the command of its shell", isGood: true)
        ])
    }
}

/// A machine, and the directory of the runs on it.
public struct RemoteShellPlace: Sendable, Hashable {
    /// The command that runs a shell there.
    public let shell: String
    /// The directory of the runs.
    public let directory: String
}

/// A job on another machine.
public struct RemoteShellSpecification: RemoteTaskSpecification {
    public let place: RemoteShellPlace
    let prepared: PreparedJobConfiguration
    public let streamsOutput: Bool

    public var runsFlowEngine: Bool { !prepared.commandIsConfigured }

    public var description: JSONValue {
        var shown = prepared.json
        shown["shell"] = .string(place.shell)
        shown["directory"] = .string(place.directory)
        shown["stream_output"] = .bool(streamsOutput)
        return shown
    }
}

extension PreparationContext {
    /// The least that a configuration needs.
    init(_ run: RunContext) {
        self.init(flowRun: ["id": .string(run.flowRunID), "name": .string(run.flowRunName)], flow: nil)
    }
}
