package import JobTemplates
package import OrderedCollections
package import PrefectJSON

/// The parts of base job templates that the types of pools on Google Cloud share.
package enum GoogleTemplate {
    /// A template with the common variables before the type's own.
    package static func template(
        _ configuration: OrderedDictionary<String, JSONValue>, _ own: OrderedDictionary<String, JSONValue>,
        required: [String] = [], definitions: OrderedDictionary<String, JSONValue>
    ) -> BaseJobTemplate {
        var properties = PoolTemplate.template(own: [:]).variables["properties"]?.objectValue ?? [:]
        properties.merge(own) { $1 }
        var variables: OrderedDictionary<String, JSONValue> = ["properties": .object(properties)]
        if !required.isEmpty { variables["required"] = .array(required.map(JSONValue.string)) }
        variables["type"] = "object"
        variables["definitions"] = .object(definitions)
        return BaseJobTemplate(jobConfiguration: configuration, variables: .object(variables))
    }

    /// A variable that may be null.
    ///
    /// - Parameter hasDefault: Whether null is its default.
    package static func optional(
        _ schema: JSONValue, _ title: String, _ description: String, hasDefault: Bool = true,
        examples: [JSONValue] = []
    ) -> JSONValue {
        var result: JSONValue = ["anyOf": [schema, ["type": "null"]]]
        if hasDefault { result["default"] = .null }
        result["description"] = .string(description)
        if !examples.isEmpty { result["examples"] = .array(examples) }
        result["title"] = .string(title)
        return result
    }

    /// The variable with the block of credentials.
    package static let credentials: JSONValue = [
        "anyOf": [["$ref": "#/definitions/GcpCredentials"], ["type": "null"]],
        "description": "The credentials for Google Cloud. Leave them empty for those of the worker's environment.",
        "title": "GCP Credentials",
    ]

    /// A variable with a secret.
    package static func secret(_ title: String, _ variable: String, example: String? = nil) -> JSONValue {
        optional(
            ["$ref": "#/definitions/SecretKeySelector"], title,
            "A secret of Google's Secret Manager that replaces \(variable) in the job's environment.",
            examples: example.map { [["secret": .string($0), "version": "latest"]] } ?? [])
    }

    /// The definition of the block of credentials.
    package static let credentialsBlock: JSONValue = [
        "block_schema_references": [:], "block_type_slug": "gcp-credentials",
        "description":
            "Credentials for Google Cloud: the key of a service account, in a file or here. Without one, the credentials of the worker's environment are used.",
        "properties": [
            "service_account_file": optional(
                ["format": "path", "type": "string"], "Service Account File",
                "A key file of a service account on the worker's host."),
            "service_account_info": optional(
                ["additionalProperties": true, "type": "object"], "Service Account Info",
                "The key of a service account."),
            "project": optional(["type": "string"], "Project", "The project. By default the one of the key."),
        ],
        "secret_fields": ["service_account_info.*"], "title": "GcpCredentials", "type": "object",
    ]

    /// The definition of a secret.
    package static let secretSelector: JSONValue = [
        "description": "A version of a secret of Google's Secret Manager.",
        "properties": [
            "secret": ["title": "Secret", "type": "string"], "version": ["title": "Version", "type": "string"],
        ],
        "required": ["secret", "version"], "title": "SecretKeySelector", "type": "object",
    ]
}
