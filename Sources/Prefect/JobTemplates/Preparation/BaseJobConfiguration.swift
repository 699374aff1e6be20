public import OrderedCollections
public import PrefectJSON

/// The fields that the job configurations of all backends have, checked and converted to their types.
public struct BaseJobConfiguration: Sendable, Hashable {
    /// The command that starts the flow run; `nil` when the backend must choose it.
    public var command: String?
    /// Environment variables; `nil` removes a variable from the job's environment.
    public var env: OrderedDictionary<String, String?>
    /// Labels for the infrastructure.
    public var labels: OrderedDictionary<String, String>
    /// The name for the infrastructure, with placeholders like `{{ ctx.flow_run.name }}`; `nil` for the run's name.
    public var name: String?
    /// The whole rendered configuration. The fields of the backend are unchanged.
    public var rendered: JSONValue

    /// Takes the fields out of a rendered configuration; absent ones are empty.
    ///
    /// Values of `env` become text as in Python's `str` (`True`, `1.0`, `[1]`). An empty command becomes `nil`. Throws
    /// when `command` or `name` is not a string, `env` is not an object, or a label is not a string. A backend that
    /// accepts other forms of `env` converts them first. Other fields are not checked here but by the backend.
    public init(rendered: JSONValue) throws(TemplateError) {
        guard case .object(let members) = rendered else {
            throw Self.mismatch("job_configuration", "an object", rendered, remedy: "correct the base job template")
        }
        let command = try Self.string("command", in: members)
        self.command = command?.isEmpty == true ? nil : command
        name = try Self.string("name", in: members)
        env = try Self.object("env", in: members).mapValues { $0.isNull ? nil : $0.pythonText }
        labels = [:]
        for (key, label) in try Self.object("labels", in: members) {
            guard case .string(let text) = label else {
                let path = TemplatePath.jobConfiguration.appending(key: "labels").appending(key: key)
                throw Self.mismatch(path.description, "a string", label, remedy: "put the label's value in quotes")
            }
            labels[key] = text
        }
        self.rendered = rendered
    }

    private static func string(
        _ key: String, in members: OrderedDictionary<String, JSONValue>
    ) throws(TemplateError) -> String? {
        switch members[key] {
        case nil, .null?: return nil
        case .string(let text)?: return text
        case .some(let other):
            throw mismatch(
                "job_configuration.\(key)", "a string", other, remedy: "correct the job variable '\(key)'")
        }
    }

    private static func object(
        _ key: String, in members: OrderedDictionary<String, JSONValue>
    ) throws(TemplateError) -> OrderedDictionary<String, JSONValue> {
        switch members[key] {
        case nil: return [:]
        case .object(let value)?: return value
        case .some(let other):
            throw mismatch(
                "job_configuration.\(key)", "an object", other,
                remedy: "give the job variable '\(key)' as an object of names and values or leave it out")
        }
    }

    private static func mismatch(
        _ path: String, _ expected: String, _ value: JSONValue, remedy: String
    ) -> TemplateError {
        TemplateError(
            .invalidField, path: path, problem: "should be \(expected) but its type is \(value.typeName)",
            remedy: remedy)
    }

    /// A configuration without any field.
    package static let empty = BaseJobConfiguration()

    private init() {
        env = [:]
        labels = [:]
        rendered = [:]
    }

    /// The rendered configuration with the four common fields first, each of them present.
    public var json: JSONValue {
        var fields: OrderedDictionary<String, JSONValue> = [
            "command": JSONValue(command), "env": .object(env.mapValues { JSONValue($0) }), "labels": JSONValue(labels),
            "name": JSONValue(name),
        ]
        for (key, value) in rendered.objectValue ?? [:] where fields[key] == nil { fields[key] = value }
        return .object(fields)
    }
}
