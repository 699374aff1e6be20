public import OrderedCollections
public import PrefectJSON

/// A JSON object of the API with typed members.
///
/// The JSON is the only storage. So a member that was never assigned is not sent, and an assigned `nil` is sent as
/// `null`. Members that only a later server knows survive a round trip, and ``subscript(_:)`` reads them.
///
/// Reading an answer checks the members that the API always sends. A getter never ends the process. An optional member of
/// another type reads as `nil`. A required member that somebody has removed reads as an empty value.
public protocol APIRecord: JSONConvertible {
    /// The members as they are sent.
    var members: JSONObject { get set }
    /// Takes members without checking them.
    init(unchecked members: JSONObject)
    /// Checks that the required members exist and are of their types.
    static func check(_ members: JSONObject) throws(JSONDecodingError)
}

extension APIRecord {
    /// Reads a record.
    ///
    /// - Throws: An error with the path of the first required member that is absent or of another type.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        guard case .object(let members) = jsonValue else { throw .mismatch("an object", jsonValue) }
        try Self.check(members)
        self.init(unchecked: members)
    }

    /// The record as JSON.
    public var jsonValue: JSONValue { .object(members) }

    /// A record without members.
    public static var jsonPlaceholder: Self { Self(unchecked: [:]) }

    /// The member with this name in JSON, also one that this version does not know. Assigning `nil` removes it.
    public subscript(_ member: String) -> JSONValue? {
        get { members[member] }
        set { members[member] = newValue }
    }
}

// The accessors of the generated members.
extension APIRecord {
    func optional<Value: JSONConvertible>(_ name: String) -> Value? {
        guard let value = members[name], !value.isNull else { return nil }
        return try? Value(jsonValue: value)
    }

    func required<Value: JSONConvertible>(_ name: String) -> Value { optional(name) ?? Value.jsonPlaceholder }

    func member<Value: JSONConvertible>(_ name: String, default fallback: Value) -> Value { optional(name) ?? fallback }

    mutating func assign<Value: JSONConvertible>(_ name: String, _ value: Value?) { members[name] = value.orNull }

    /// Assigns a value, or leaves the member out for `nil`.
    mutating func assignIfPresent<Value: JSONConvertible>(_ name: String, _ value: Value?) {
        if let value { members[name] = value.jsonValue }
    }

    static func require<Value: JSONConvertible>(
        _ name: String, _ type: Value.Type, in members: JSONObject
    ) throws(JSONDecodingError) {
        guard let value = members[name] else {
            throw JSONDecodingError(path: name, problem: "is missing")
        }
        do {
            _ = try Value(jsonValue: value)
        } catch {
            throw error.inside(name)
        }
    }

    static func accept<Value: JSONConvertible>(
        _ name: String, _ type: Value.Type, in members: JSONObject
    ) throws(JSONDecodingError) {
        if members[name]?.isNull ?? true { return }
        try require(name, type, in: members)
    }
}
