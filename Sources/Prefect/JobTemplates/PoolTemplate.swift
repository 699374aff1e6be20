public import OrderedCollections
public import PrefectJSON

/// Makes the base job template that work pools of a type get when the worker creates them.
public enum PoolTemplate {
    /// A variable that every type of pool has.
    public enum CommonVariable: String, Sendable {
        /// The name of the infrastructure.
        case name
        /// The environment variables.
        case env
        /// The labels of the infrastructure.
        case labels
        /// The command that runs the flow.
        case command

        /// The variable's JSON schema.
        var schema: JSONValue {
            switch self {
            case .name:
                Self.optionalString(
                    title: "Name",
                    description: "What the infrastructure of a flow run is called; by default like the run.")
            case .env:
                [
                    "additionalProperties": ["anyOf": [["type": "string"], ["type": "null"]]],
                    "description": "Variables for the environment of flow runs; null takes one away.",
                    "title": "Environment Variables",
                    "type": "object",
                ]
            case .labels:
                [
                    "additionalProperties": ["type": "string"],
                    "description": "Labels for the infrastructure of flow runs, added to those of the worker.",
                    "title": "Labels",
                    "type": "object",
                ]
            case .command:
                Self.optionalString(
                    title: "Command",
                    description: "The command that starts a flow run. Leave it empty for the worker's own choice.")
            }
        }

        private static func optionalString(title: String, description: String) -> JSONValue {
            [
                "anyOf": [["type": "string"], ["type": "null"]], "default": nil,
                "description": .string(description), "title": .string(title),
            ]
        }
    }

    /// A template whose configuration takes each field from the variable of the same name. The common fields come
    /// first, then the type's own.
    ///
    /// - Parameters:
    ///   - fields: The common fields, in the order of the configuration.
    ///   - variables: The common variables, in the order of the schema.
    ///   - own: The schemas of the type's own variables.
    public static func template(
        fields: [CommonVariable] = [.command, .env, .labels, .name],
        variables: [CommonVariable] = [.name, .env, .labels, .command], own: OrderedDictionary<String, JSONValue>
    ) -> BaseJobTemplate {
        let names = fields.map(\.rawValue) + own.keys
        var properties = OrderedDictionary(
            variables.map { ($0.rawValue, $0.schema) }, uniquingKeysWith: { $1 })
        properties.merge(own) { $1 }
        return BaseJobTemplate(
            jobConfiguration: OrderedDictionary(
                names.map { ($0, .string("{{ \($0) }}")) }, uniquingKeysWith: { $1 }),
            variables: ["properties": .object(properties), "type": "object"])
    }

    /// A variable that may be null and is null by default.
    public static func optional(_ schema: JSONValue, title: String, _ description: String) -> JSONValue {
        [
            "anyOf": [schema, ["type": "null"]], "default": nil, "description": .string(description),
            "title": .string(title),
        ]
    }

    /// A variable that is true or false.
    public static func flag(_ value: Bool, title: String, _ description: String) -> JSONValue {
        [
            "default": .bool(value), "description": .string(description), "title": .string(title), "type": "boolean",
        ]
    }
}
