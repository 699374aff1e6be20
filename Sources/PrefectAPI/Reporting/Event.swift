public import JSON

/// Something that happened, as Prefect's event system takes it.
public struct Event: Sendable, Hashable {
    /// The event's id; the API takes an id only once.
    public let id: String
    /// When it happened.
    public let occurred: Timestamp
    /// The event's name, like `prefect.worker.started`.
    public var name: String
    /// What it happened to: labels, among them `prefect.resource.id`.
    public var resource: JSONValue
    /// What else was involved, each with its `prefect.resource.role`.
    public var related: [JSONValue]
    /// Anything else.
    public var payload: JSONValue
    /// The event that this one follows.
    public var follows: String?

    /// An event that happens now; `id` is one that others, who see the same, give it too.
    public init(
        name: String, resource: JSONValue, related: [JSONValue] = [], payload: JSONValue = [:],
        following previous: Event? = nil, occurred: Timestamp = .now, id: String? = nil
    ) {
        self.id = id ?? UUIDv7.make(at: occurred)
        self.occurred = occurred
        self.name = name
        self.resource = resource
        self.related = Array(related.prefix(100))
        self.payload = payload
        // The API relates events only over less than five minutes.
        if let previous, abs(occurred.seconds(since: previous.occurred)) < 300 { follows = previous.id }
    }

    /// The event as the API takes it.
    public var json: JSONValue {
        [
            "occurred": .string(occurred.apiFormat), "event": .string(name), "resource": resource,
            "related": .array(related), "payload": payload, "id": .string(id), "follows": JSONValue(follows),
        ]
    }
}

/// UUIDs whose order is that of their making.
enum UUIDv7 {
    static func make(at time: Timestamp = .now) -> String {
        let milliseconds = UInt64(max(0, time.microseconds / 1000))
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        for index in 0..<6 { bytes[index] = UInt8(truncatingIfNeeded: milliseconds >> UInt64(40 - 8 * index)) }
        bytes[6] = bytes[6] & 0x0F | 0x70
        bytes[8] = bytes[8] & 0x3F | 0x80
        let text = bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }
        return [text[0..<4], text[4..<6], text[6..<8], text[8..<10], text[10..<16]]
            .map { $0.joined() }.joined(separator: "-")
    }
}
