import Foundation
import OrderedCollections
import PrefectClient
import PrefectJSON
import Testing

/// A call of the real client with its requests, their answers and its result.
struct Vector: Sendable, CustomTestStringConvertible {
    let json: JSONValue

    var id: String { json["id"]?.stringValue ?? "" }
    /// The name of the called member; for those of the Cloud client with `CloudClient.` in front.
    var member: String { String(id.prefix { $0 != "/" }) }
    var group: String { json["group"]?.stringValue ?? "" }
    var requests: [JSONValue] { json["requests"]?.arrayValue ?? [] }
    var responses: [JSONValue] { json["responses"]?.arrayValue ?? [] }
    var volatile: Set<String> { Set((json["volatile"]?.arrayValue ?? []).compactMap(\.stringValue)) }
    var arguments: VectorArguments { VectorArguments(json["arguments"] ?? [:], of: self) }
    /// Whether the vector was recorded with a client of Prefect Cloud.
    var isOfCloud: Bool {
        member.hasPrefix("CloudClient.") || (json["note"]?.stringValue ?? "").hasPrefix("Cloud")
    }
    var testDescription: String { id }

    /// The vectors of the file that `CLIENT_VECTORS` names, or of the copy beside the tests.
    static let all: [Vector] = {
        do {
            let named = ProcessInfo.processInfo.environment["CLIENT_VECTORS"].map { URL(filePath: $0) }
            guard
                let url = named
                    ?? Bundle.module.url(forResource: "client_vectors_shown", withExtension: "json")
            else { return [] }
            let document = try JSONValue(parsing: Array(try Data(contentsOf: url)), maximumCost: 100_000_000)
            return (document["vectors"]?.arrayValue ?? []).map(Vector.init(json:))
        } catch {
            Issue.record("the client vectors cannot be read: \(error)")
            return []
        }
    }()
}

/// The arguments of a call by their Python names. Models are objects of the members that were set.
struct VectorArguments: Sendable {
    let members: JSONObject
    let vector: Vector?

    init(_ json: JSONValue, of vector: Vector? = nil) {
        members = Self.plain(json).objectValue ?? [:]
        self.vector = vector
    }

    /// The argument; `nil` when it was not given or is null.
    func value<Value: JSONConvertible>(_ name: String, as type: Value.Type = Value.self) throws -> Value? {
        guard let value = members[name], !value.isNull else { return nil }
        do {
            return try Value(jsonValue: value)
        } catch {
            throw VectorRefusal(reason: "\(name): \(error)")
        }
    }

    /// The argument, which must be given.
    func required<Value: JSONConvertible>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
        guard let value: Value = try value(name) else { throw VectorRefusal(reason: "\(name) is missing") }
        return value
    }

    /// A record of arguments by the names of its members. Arguments that are null are left out.
    func record<Record: APIRecord>(_ names: String..., as type: Record.Type = Record.self) throws -> Record {
        var record = Record(unchecked: [:])
        for name in names where members[name].map({ !$0.isNull }) ?? false { record[name] = members[name] }
        return try Record(jsonValue: record.jsonValue)
    }

    /// The default members `input_type` of models, which the vectors leave out and the API needs.
    private static let taskInputs = [
        "TaskRunResult": "task_run", "FlowRunResult": "flow_run", "Parameter": "parameter", "Constant": "constant",
    ]

    /// A model whose parts are of several classes. Vectors do not name them, but the recorded request has their types.
    func typed<Value: JSONConvertible>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
        let given: JSONValue = try required(name)
        return try Value(jsonValue: Self.typed(given, as: vector?.requests.first?["body"] ?? .null))
    }

    private static func typed(_ given: JSONValue, as recorded: JSONValue) -> JSONValue {
        switch (given, recorded) {
        case (.object(var members), .object(let wanted)):
            for (name, value) in members { members[name] = typed(value, as: wanted[name] ?? .null) }
            if members["type"] == nil, let type = wanted["type"] { members["type"] = type }
            return .object(members)
        case (.array(let elements), .array(let wanted)) where elements.count == wanted.count:
            return .array(zip(elements, wanted).map { typed($0, as: $1) })
        default: return given
        }
    }

    /// JSON without the marks of the vectors.
    private static func plain(_ json: JSONValue) -> JSONValue {
        if let fields = json["fields"], let type = json["$type"]?.stringValue {
            var fields = plain(fields)
            if let word = taskInputs[type], fields["input_type"] == nil { fields["input_type"] = .string(word) }
            return fields
        }
        if let value = json["$datetime"] ?? json["$seconds"] { return value }
        return switch json {
        case .array(let elements): .array(elements.map(plain))
        case .object(let members): .object(members.mapValues(plain))
        default: json
        }
    }
}

/// Arguments that the types of the client do not allow, so that no request can be sent.
struct VectorRefusal: Error {
    let reason: String
}

/// The result of a call.
enum VectorResult: Sendable {
    case nothing
    case value(JSONValue)

    /// An optional result.
    init(_ value: (some JSONConvertible)?) { self = value.map { .value($0.jsonValue) } ?? .nothing }
}

/// Calls a member with the arguments of a vector.
typealias VectorCall = @Sendable (APIClient, VectorArguments) async throws -> VectorResult
