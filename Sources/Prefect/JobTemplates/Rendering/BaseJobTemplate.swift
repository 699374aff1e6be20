public import OrderedCollections
public import PrefectJSON

/// The base job template of a work pool: the job configuration with placeholders, and the variables that fill them.
public struct BaseJobTemplate: Sendable, Hashable {
    /// The configuration of a job, with placeholders for the parts that deployments and runs may set.
    public let jobConfiguration: OrderedDictionary<String, JSONValue>
    /// A JSON schema whose `properties` are the job variables with their defaults.
    public let variables: JSONValue

    /// A template with this configuration and the JSON schema of its variables.
    public init(jobConfiguration: OrderedDictionary<String, JSONValue>, variables: JSONValue) {
        self.jobConfiguration = jobConfiguration
        self.variables = variables
    }

    /// Reads a work pool's `base_job_template`. Throws when it is not an object with the two objects
    /// `job_configuration` and `variables`.
    public init(json: JSONValue) throws(TemplateError) {
        jobConfiguration = try Self.part("job_configuration", of: json)
        variables = .object(try Self.part("variables", of: json))
    }

    private static func part(
        _ key: String, of json: JSONValue
    ) throws(TemplateError) -> OrderedDictionary<String, JSONValue> {
        let remedy = "give the work pool a base job template with 'job_configuration' and 'variables'"
        guard case .object(let members) = json else {
            throw TemplateError(
                .malformedTemplate, path: "base_job_template",
                problem: "should be an object but its type is \(json.typeName)", remedy: remedy)
        }
        guard let value = members[key] else {
            throw TemplateError(
                .malformedTemplate, path: "base_job_template", problem: "the key '\(key)' is missing", remedy: remedy)
        }
        guard case .object(let part) = value else {
            throw TemplateError(
                .malformedTemplate, path: "base_job_template.\(key)",
                problem: "should be an object but its type is \(value.typeName)", remedy: remedy)
        }
        return part
    }

    /// The template in the form of the API.
    public var json: JSONValue {
        ["job_configuration": .object(jobConfiguration), "variables": variables]
    }

    /// Whether the template itself sets a field of the job configuration. A value, a block, or the default of the
    /// variable that fills the field can set it.
    public func presets(_ field: String) -> Bool {
        guard let value = jobConfiguration[field], !value.isNull else { return false }
        guard let text = value.stringValue else { return true }
        let placeholders = Placeholder.all(in: text)
        guard !placeholders.isEmpty else { return !text.isEmpty }
        return placeholders.contains { placeholder in
            let variable = placeholder.name.prefix { $0 != "." && $0 != "[" }
            return placeholder.kind != .standard || variableDefaults[String(variable)] != nil
        }
    }

    /// The names of the job variables that a field of the job configuration uses.
    package func variables(in field: String) -> Set<String> {
        var names: Set<String> = []
        var pending = [jobConfiguration[field] ?? .null]
        while let value = pending.popLast() {
            switch value {
            case .string(let text):
                for placeholder in Placeholder.all(in: text) where placeholder.kind == .standard {
                    names.insert(String(placeholder.name.prefix { $0 != "." && $0 != "[" }))
                }
            case .array(let elements): pending += elements
            case .object(let members): pending += members.values
            default: break
            }
        }
        return names
    }

    /// The defaults of the variables; a default of `null` counts as none.
    public var variableDefaults: OrderedDictionary<String, JSONValue> {
        let properties = variables["properties"]?.objectValue ?? [:]
        return properties.compactMapValues { schema in
            guard let value = schema["default"], !value.isNull else { return nil }
            return value
        }
    }
}
