internal import JSON
internal import OrderedCollections

/// The base job templates that work pools of each type get when the worker creates them.
public enum DefaultTemplates {
    /// The template of `process` pools: the common variables, the output and the working directory.
    public static func process() -> BaseJobTemplate {
        template(
            fields: [.command, .env, .labels, .name],
            variables: [.name, .env, .labels, .command],
            own: [
                "stream_output": [
                    "default": true,
                    "description": "Whether the output of flow runs is passed on to the worker's own output.",
                    "title": "Stream Output",
                    "type": "boolean",
                ],
                "working_dir": [
                    "anyOf": [["format": "path", "type": "string"], ["type": "null"]],
                    "default": nil,
                    "description":
                        "The existing directory that flow runs start in. Without one each run gets a directory of its own, which is removed after it.",
                    "title": "Working Directory",
                ],
            ])
    }

    /// A variable that every type of pool has.
    enum CommonVariable: String {
        case name
        case env
        case labels
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
    static func template(
        fields: [CommonVariable], variables: [CommonVariable], own: OrderedDictionary<String, JSONValue>
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
    static func optional(_ schema: JSONValue, title: String, _ description: String) -> JSONValue {
        [
            "anyOf": [schema, ["type": "null"]], "default": nil, "description": .string(description),
            "title": .string(title),
        ]
    }

    /// A variable that is true or false.
    static func flag(_ value: Bool, title: String, _ description: String) -> JSONValue {
        [
            "default": .bool(value), "description": .string(description), "title": .string(title), "type": "boolean",
        ]
    }
}
