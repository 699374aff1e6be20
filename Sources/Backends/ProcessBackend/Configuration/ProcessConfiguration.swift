internal import BackendKit
internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

/// The job configuration of a flow run that runs as a process on the worker's host.
struct ProcessConfiguration: Sendable {
    /// The command line, which is split into words as a shell does it; `nil` for the backend's own command.
    var command: String?
    /// The environment that the configuration shows.
    var env: OrderedDictionary<String, String>
    /// Labels. The configuration shows them, and a process has no use for them.
    var labels: OrderedDictionary<String, String>
    /// A name, which is only shown, like the labels.
    var name: String?
    /// Whether the output of the process is copied to the worker's own output.
    var streamsOutput: Bool
    /// The directory in which the process starts; `nil` for a private directory that is removed afterwards.
    var workingDirectory: String?

    /// Whether the command is the backend's own, which is the flow engine, and not a command of the job.
    private(set) var runsFlowEngine: Bool

    /// The environment of the process: ``env`` without the variables that the configuration sets to null.
    var launchEnvironment: OrderedDictionary<String, String>
    private(set) var base: BaseJobConfiguration

    /// Reads a rendered job configuration. Throws `InfrastructureError` of the kind `refused`.
    init(rendered: JSONValue) throws(InfrastructureError) {
        base = try InfrastructureError.refusing { try BaseJobConfiguration(rendered: rendered) }
        command = base.command
        runsFlowEngine = base.command == nil
        env = base.env.compactMapValues { $0 }
        launchEnvironment = env
        labels = base.labels
        name = base.name
        let fields = RenderedFields(rendered)
        streamsOutput = try fields.boolean("stream_output", default: true)
        workingDirectory = try fields.text("working_dir", expected: "a path")
    }

    /// Returns the configuration for one flow run.
    func prepared(for context: PreparationContext, defaultCommand: String) throws(InfrastructureError) -> Self {
        let prepared = try InfrastructureError.refusing {
            try base.prepare(for: context, defaultCommand: defaultCommand)
        }
        let inherited = context.environment.sorted { $0.key < $1.key }
        let environment = mergeProcessEnvironment(inherited: inherited, prepared: prepared)
        var result = self
        result.command = prepared.command
        result.runsFlowEngine = !prepared.commandIsConfigured
        result.env = environment.configured
        result.launchEnvironment = environment.launched
        result.labels = prepared.labels
        result.name = prepared.name
        return result
    }

    /// The configuration without what only the start of the run needs. Hooks need the environment of the process.
    var afterStart: Self {
        var result = self
        result.base = .empty
        result.env = [:]
        result.labels = [:]
        // A copy without spare capacity.
        result.launchEnvironment = OrderedDictionary(minimumCapacity: launchEnvironment.count)
        result.launchEnvironment.merge(launchEnvironment) { $1 }
        return result
    }

    var json: JSONValue {
        [
            "command": JSONValue(command), "env": JSONValue(env), "labels": JSONValue(labels), "name": JSONValue(name),
            "stream_output": .bool(streamsOutput), "working_dir": JSONValue(workingDirectory),
        ]
    }
}
