public import OrderedCollections
public import PrefectJSON

/// A job configuration that is ready to be launched for one flow run.
public struct PreparedJobConfiguration: Sendable, Hashable {
    /// The command that starts the flow run.
    public var command: String
    /// Whether the command comes from the configuration and not from the backend.
    public var commandIsConfigured: Bool
    /// The job's environment variables.
    public var env: OrderedDictionary<String, String>
    /// The names that the configuration sets to null. They are not in `env`, and the job must not inherit them.
    public var unsetEnv: [String]
    /// Labels for the infrastructure.
    public var labels: OrderedDictionary<String, String>
    /// The name for the infrastructure.
    public var name: String
    /// The rendered configuration. The fields of the backend are unchanged.
    public var rendered: JSONValue

    /// A configuration with these fields.
    public init(
        command: String, commandIsConfigured: Bool, env: OrderedDictionary<String, String>, unsetEnv: [String],
        labels: OrderedDictionary<String, String>, name: String, rendered: JSONValue
    ) {
        self.command = command
        self.commandIsConfigured = commandIsConfigured
        self.env = env
        self.unsetEnv = unsetEnv
        self.labels = labels
        self.name = name
        self.rendered = rendered
    }
}

extension PreparedJobConfiguration {
    /// The configuration as an object, the four common fields first.
    public var json: JSONValue {
        var fields: OrderedDictionary<String, JSONValue> = [
            "command": .string(command), "env": JSONValue(env), "labels": JSONValue(labels), "name": .string(name),
        ]
        for (key, value) in rendered.objectValue ?? [:] where fields[key] == nil { fields[key] = value }
        return .object(fields)
    }
}

extension BaseJobConfiguration {
    /// The command of a flow run when no other command is configured.
    public static let defaultCommand = "prefect flow-run execute"

    /// Prepares the configuration for one flow run.
    ///
    /// - The environment holds the worker's settings and the ids of the run and its related objects. The
    ///   configuration's own variables override them; null ones are removed.
    /// - The labels identify the objects that the job belongs to; the configuration's own labels win.
    /// - Placeholders in the name are filled in from `ctx.flow` and `ctx.flow_run`. Without a name, the run's name is
    ///   used.
    ///
    /// Throws when the flow run has no id or name.
    public func prepare(
        for context: PreparationContext, defaultCommand: String = BaseJobConfiguration.defaultCommand
    ) throws(TemplateError) -> PreparedJobConfiguration {
        for field in ["id", "name"] where context.flowRun[field]?.stringValue == nil {
            throw TemplateError(
                .invalidField, path: "flow_run.\(field)", problem: "should be a string but is missing",
                remedy: "check that the API is compatible")
        }
        let environment = context.baseEnvironment.merging(env) { $1 }
        return PreparedJobConfiguration(
            command: command ?? defaultCommand, commandIsConfigured: command != nil,
            env: environment.compactMapValues { $0 },
            unsetEnv: env.compactMap { name, value in value == nil ? name : nil },
            labels: context.labels.merging(labels) { $1 },
            name: try preparedName(for: context), rendered: rendered)
    }

    private func preparedName(for context: PreparationContext) throws(TemplateError) -> String {
        let runName = context.flowRun["name"]?.stringValue ?? ""
        guard let name, !name.isEmpty else { return runName }
        var application = ValueApplication(values: context.nameValues, environment: context.environment)
        // A name that is only a placeholder without a value stays as it is written.
        guard let rendered = try application.apply(to: .string(name), at: .jobConfiguration.appending(key: "name"))
        else { return name }
        return rendered.isPythonTrue ? rendered.pythonText : runName
    }
}
