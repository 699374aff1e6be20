public import FoundationEssentials
public import PrefectJSON

/// A request as received.
public struct RecordedRequest: Sendable {
    /// Its number, counted from 0 in the order of arrival.
    public let number: Int
    /// The number of its connection, counted from 0. Requests with equal numbers used the same connection.
    public let connection: Int
    /// The method.
    public let method: String
    /// The path below the base (`/flow_runs/…`), without the query; the whole path for a request outside the base.
    public let path: String
    /// The parameters of the query, decoded.
    public let query: [String: String]
    /// The headers as they were sent, in order.
    public let headers: [(name: String, value: String)]
    /// The body's bytes.
    public let rawBody: [UInt8]
    /// The body; `null` when there is none or it is not JSON.
    public let body: JSONValue
    /// The time at which its last byte arrived.
    public let time: Date
    /// Whether the fake has a route for it.
    public internal(set) var isKnown = false
    /// The status of its answer; `nil` while there is no answer, or when the answer was not proper HTTP.
    public internal(set) var status: Int?

    /// A header's value; the name's case does not matter.
    public func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// The method and the path, for example `POST /logs/`.
    public var line: String { "\(method) \(path)" }
}
