public import FoundationEssentials
public import PrefectJSON

extension UUID: JSONConvertible {
    /// Reads an id in either case.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        guard case .string(let text) = jsonValue else { throw .mismatch("a UUID", jsonValue) }
        guard let id = UUID(uuidString: text) else { throw JSONDecodingError(path: "", problem: "should be a UUID") }
        self = id
    }
    /// The id as the API writes it, in lower case.
    public var jsonValue: JSONValue { .string(text) }
    /// The id of zeros.
    public static var jsonPlaceholder: UUID { UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)) }
}

extension Timestamp: JSONConvertible {
    /// Reads a time as RFC 3339 writes it.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        guard case .string(let text) = jsonValue else { throw .mismatch("a time", jsonValue) }
        guard let time = Timestamp(text) else { throw JSONDecodingError(path: "", problem: "should be a time") }
        self = time
    }
    /// The time in UTC as the API writes it.
    public var jsonValue: JSONValue { .string(apiFormat) }
    /// The beginning of 1970.
    public static var jsonPlaceholder: Timestamp { Timestamp(microseconds: 0) }
}

extension Duration: JSONConvertible {
    /// Reads a number of seconds, to the microsecond.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        guard let seconds = jsonValue.doubleValue else { throw .mismatch("a number of seconds", jsonValue) }
        guard let duration = Duration(checkedSeconds: seconds) else {
            throw JSONDecodingError(path: "", problem: "should be a duration but is out of range")
        }
        self = duration
    }
    /// The duration as a number of seconds.
    public var jsonValue: JSONValue {
        let (seconds, attoseconds) = components
        if attoseconds == 0, let whole = Int(exactly: seconds) { return .int(whole) }
        return .double(Double(seconds) + Double(attoseconds) / 1e18)
    }
    /// The duration 0.
    public static var jsonPlaceholder: Duration { .zero }
}
