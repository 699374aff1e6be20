public import OrderedCollections
public import PrefectJSON

/// A value that the API sends or receives as one JSON value.
public protocol JSONConvertible: Sendable, Hashable {
    /// Reads a value from JSON.
    ///
    /// - Throws: An error with the path of the first member that is absent or of another type.
    init(jsonValue: JSONValue) throws(JSONDecodingError)
    /// The value as JSON.
    var jsonValue: JSONValue { get }
    /// The value that a getter returns when somebody has removed a required member from a record.
    static var jsonPlaceholder: Self { get }
}

/// A JSON object whose members are of any type, such as the parameters of a flow run. It keeps their order.
public typealias JSONObject = OrderedDictionary<String, JSONValue>

extension JSONDecodingError {
    static func mismatch(_ type: String, _ value: JSONValue) -> JSONDecodingError {
        JSONDecodingError(path: "", problem: "should be \(type) but is \(value.typeName)")
    }
}

extension JSONValue: JSONConvertible {
    /// Takes the value as it is.
    public init(jsonValue: JSONValue) { self = jsonValue }
    /// The value itself.
    public var jsonValue: JSONValue { self }
    /// The value `null`.
    public static var jsonPlaceholder: JSONValue { .null }
}

extension String: JSONConvertible {
    /// Reads a string.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        guard case .string(let text) = jsonValue else { throw .mismatch("a string", jsonValue) }
        self = text
    }
    /// The string as JSON.
    public var jsonValue: JSONValue { .string(self) }
    /// The empty string.
    public static var jsonPlaceholder: String { "" }
}

extension Bool: JSONConvertible {
    /// Reads a boolean.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        guard case .bool(let value) = jsonValue else { throw .mismatch("a boolean", jsonValue) }
        self = value
    }
    /// The boolean as JSON.
    public var jsonValue: JSONValue { .bool(self) }
    /// The value `false`.
    public static var jsonPlaceholder: Bool { false }
}

extension Int: JSONConvertible {
    /// Reads an integer that fits, also one that is written with a fraction of zero.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        guard let value = jsonValue.intValue else { throw .mismatch("an integer", jsonValue) }
        self = value
    }
    /// The integer as JSON.
    public var jsonValue: JSONValue { .int(self) }
    /// The number 0.
    public static var jsonPlaceholder: Int { 0 }
}

extension Double: JSONConvertible {
    /// Reads a number.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        guard let value = jsonValue.doubleValue else { throw .mismatch("a number", jsonValue) }
        self = value
    }
    /// The number as JSON; `null` when it is not finite, because JSON has no such numbers.
    public var jsonValue: JSONValue { isFinite ? .double(self) : .null }
    /// The number 0.
    public static var jsonPlaceholder: Double { 0 }
}

extension Array: JSONConvertible where Element: JSONConvertible {
    /// Reads an array. One element of another type makes it unreadable.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        guard case .array(let values) = jsonValue else { throw .mismatch("an array", jsonValue) }
        self = []
        reserveCapacity(values.count)
        for (index, value) in values.enumerated() {
            do {
                append(try Element(jsonValue: value))
            } catch {
                throw error.inside("[\(index)]")
            }
        }
    }
    /// The array as JSON.
    public var jsonValue: JSONValue { .array(map(\.jsonValue)) }
    /// The empty array.
    public static var jsonPlaceholder: [Element] { [] }
}

extension OrderedDictionary: JSONConvertible where Key == String, Value: JSONConvertible {
    /// Reads an object. One member of another type makes it unreadable.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        guard case .object(let members) = jsonValue else { throw .mismatch("an object", jsonValue) }
        if let same = members as? Self {
            self = same
            return
        }
        self = [:]
        for (key, value) in members {
            do {
                self[key] = try Value(jsonValue: value)
            } catch {
                throw error.inside(key)
            }
        }
    }
    /// The object as JSON.
    public var jsonValue: JSONValue { .object(mapValues(\.jsonValue)) }
    /// The empty object.
    public static var jsonPlaceholder: Self { [:] }
}

extension Optional where Wrapped: JSONConvertible {
    /// The value as JSON, or `null`.
    var orNull: JSONValue { self?.jsonValue ?? .null }
}
