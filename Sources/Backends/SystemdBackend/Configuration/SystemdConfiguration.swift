internal import BackendKit
internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

/// The job configuration of a flow run that runs as a transient unit of systemd.
///
/// As many values as possible are checked when they are read, so that nothing is created for a job that cannot run.
struct SystemdConfiguration: Sendable {
    /// The command line, which is split into words as a shell does it; `nil` for the backend's own command.
    private(set) var command: String?
    /// The environment that the configuration shows.
    private(set) var env: OrderedDictionary<String, String>
    /// Labels. The configuration shows them. The run, its pool and its worker are also fields of the journal's entries.
    private(set) var labels: OrderedDictionary<String, String>
    /// The description of the unit.
    private(set) var name: String?
    /// Whether the output of the run is copied to the worker's own output.
    let streamsOutput: Bool
    /// The directory in which the run starts; `nil` for a private directory that is removed afterwards.
    let workingDirectory: String?
    /// Whether the command is the backend's own, which is the flow engine, and not a command of the job.
    private(set) var runsFlowEngine: Bool

    private(set) var resources: UnitResources
    private(set) var words: [String] = []
    /// The environment of the run, besides the variables that the manager gives to every unit.
    private(set) var environment = UnitEnvironment()
    private var base: BaseJobConfiguration

    /// Reads a rendered job configuration. Throws `InfrastructureError` of the kind `refused`, which names the job
    /// variable.
    init(rendered: JSONValue) throws(InfrastructureError) {
        base = try InfrastructureError.refusing { try BaseJobConfiguration(rendered: rendered) }
        command = base.command
        runsFlowEngine = base.command == nil
        env = base.env.compactMapValues { $0 }
        labels = base.labels
        name = base.name
        let fields = RenderedFields(rendered)
        streamsOutput = try fields.boolean("stream_output", default: true)
        workingDirectory = try fields.text("working_dir", expected: "a path").flatMap { $0.isEmpty ? nil : $0 }
        if let workingDirectory, !workingDirectory.hasPrefix("/") || workingDirectory.utf8.contains(0) {
            throw ValueReader.bad("working_dir", workingDirectory, "an absolute path")
        }
        resources = try UnitResources(rendered: rendered)
        if let command { words = try Self.words(of: command) }
    }

    private static func words(of command: String) throws(InfrastructureError) -> [String] {
        guard let words = try? ShellWords.split(command), let program = words.first, !program.isEmpty,
            !command.utf8.contains(0)
        else {
            throw InfrastructureError(
                .refused,
                "The job's command cannot be split into words: it is empty, or a quotation mark is not closed; "
                    + "correct it")
        }
        guard !program.contains("=") else {
            throw InfrastructureError(
                .refused, "The job's command begins with '\(program)', which is not a program; set variables in 'env'")
        }
        return words
    }

    /// Returns the configuration for one flow run.
    func prepared(for context: PreparationContext, defaultCommand: String?) throws(InfrastructureError) -> Self {
        var context = context
        context.settingsEnvironment.removeAll {
            UnitEnvironment.isWorkersOwn($0.name, hasUser: resources.user != nil)
        }
        let prepared = try InfrastructureError.refusing {
            try base.prepare(for: context, defaultCommand: defaultCommand ?? "")
        }
        guard !prepared.command.isEmpty else {
            throw InfrastructureError(
                .refused,
                "The job has no command and the worker has no Python interpreter; set the job variable 'command'")
        }
        var result = self
        result.command = prepared.command
        result.words = try Self.words(of: prepared.command)
        result.runsFlowEngine = !prepared.commandIsConfigured
        result.environment = try UnitEnvironment(
            inherited: context.environment, prepared: prepared, hasUser: resources.user != nil)
        result.env = prepared.env
        result.labels = prepared.labels
        result.name = prepared.name
        return result
    }

    /// The configuration without what only the start of the run needs. The unit of hooks needs the rest.
    var afterStart: Self {
        var result = self
        result.base = .empty
        result.env = [:]
        result.labels = labels.filter { TransientUnit.shownLabels.contains($0.key) }
        result.resources.forgetJSON()
        return result
    }

    var json: JSONValue {
        var json: JSONValue = [
            "command": JSONValue(command), "env": JSONValue(env), "labels": JSONValue(labels), "name": JSONValue(name),
            "stream_output": .bool(streamsOutput), "working_dir": JSONValue(workingDirectory),
        ]
        for (key, value) in resources.json { json[key] = value }
        return json
    }
}
