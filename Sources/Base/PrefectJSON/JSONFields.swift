package import OrderedCollections

/// The reason why a JSON value could not be read as the expected type, with the path to the member.
public struct JSONDecodingError: Error, Hashable, CustomStringConvertible {
    /// The path from the root, like `flow_run.state.type`.
    public let path: String
    /// A description of the expected and the actual type, without the value itself.
    public let problem: String

    package init(path: String, problem: String) {
        self.path = path
        self.problem = problem
    }

    /// The same problem in a member, or in an element such as `[3]`, of a value.
    package func inside(_ member: String) -> JSONDecodingError {
        let separator = path.isEmpty || path.hasPrefix("[") ? "" : "."
        return JSONDecodingError(path: member + separator + path, problem: problem)
    }

    /// The path and the problem in one line.
    public var description: String { path.isEmpty ? problem : "'\(path)' \(problem)" }
}

/// A type that is read from JSON as the API sends it: unknown members are ignored.
package protocol JSONDecodable {
    /// Reads the value; throws when a required member is absent or of another type.
    init(json fields: JSONFields) throws(JSONDecodingError)
}

/// The members of a JSON object, read by name, with errors that give the path.
package struct JSONFields: Sendable {
    package let members: OrderedDictionary<String, JSONValue>
    /// The path from the root to this object.
    package let path: String

    /// Takes the members of an object; throws for any other value.
    package init(_ value: JSONValue, path: String = "") throws(JSONDecodingError) {
        guard let members = value.objectValue else {
            throw JSONDecodingError(path: path, problem: "should be an object but is \(value.typeName)")
        }
        self.members = members
        self.path = path
    }

    /// The path of a member.
    package func path(of key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// The member, or `nil` when it is absent or `null`.
    package func value(_ key: String) -> JSONValue? {
        guard let value = members[key], !value.isNull else { return nil }
        return value
    }

    private func required(_ key: String, _ type: String) throws(JSONDecodingError) -> JSONValue {
        guard let value = value(key) else {
            throw JSONDecodingError(path: path(of: key), problem: "should be \(type) but is missing")
        }
        return value
    }

    private func mismatch(_ key: String, _ type: String, _ value: JSONValue) -> JSONDecodingError {
        JSONDecodingError(path: path(of: key), problem: "should be \(type) but is \(value.typeName)")
    }

    /// A required string; throws when it is absent, `null` or not a string.
    package func string(_ key: String) throws(JSONDecodingError) -> String {
        let value = try required(key, "a string")
        guard let string = value.stringValue else { throw mismatch(key, "a string", value) }
        return string
    }

    /// A string, or `nil` when it is absent, `null` or not a string.
    package func optionalString(_ key: String) -> String? { value(key)?.stringValue }

    /// An integer, or `nil` when it is absent, `null` or not an integer.
    package func optionalInt(_ key: String) -> Int? { value(key)?.intValue }

    /// A boolean, or `nil` when it is absent, `null` or not a boolean.
    package func optionalBool(_ key: String) -> Bool? { value(key)?.boolValue }

    /// The strings of an array; empty when it is absent. Elements that are not strings are omitted.
    package func strings(_ key: String) -> [String] {
        value(key)?.arrayValue?.compactMap(\.stringValue) ?? []
    }

    /// The members of an object; empty when it is absent or not an object.
    package func object(_ key: String) -> OrderedDictionary<String, JSONValue> { value(key)?.objectValue ?? [:] }

    /// A required nested value; throws when it is absent, `null` or not valid.
    package func decode<Value: JSONDecodable>(_ key: String, as type: Value.Type = Value.self)
        throws(JSONDecodingError) -> Value
    {
        try Value(json: JSONFields(required(key, "an object"), path: path(of: key)))
    }

    /// A nested value, or `nil` when it is absent or `null`.
    package func decodeIfPresent<Value: JSONDecodable>(_ key: String, as type: Value.Type = Value.self)
        throws(JSONDecodingError) -> Value?
    {
        guard let value = value(key) else { return nil }
        return try Value(json: JSONFields(value, path: path(of: key)))
    }
}
