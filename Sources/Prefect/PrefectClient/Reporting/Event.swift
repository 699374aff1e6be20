internal import Notation
package import PrefectJSON

/// Something that happened, in the form of Prefect's event system.
package struct Event: Sendable, Hashable {
    /// The event's id; the API accepts an id only once.
    package let id: String
    /// When the event happened.
    package let occurred: Timestamp
    /// The event's name, such as `prefect.worker.started`.
    package var name: String
    /// The labels of the resource that the event happened to, among them `prefect.resource.id`.
    package var resource: JSONValue
    /// The labels of the other resources involved, each with its `prefect.resource.role`.
    package var related: [JSONValue]
    /// Further data of the event.
    package var payload: JSONValue
    /// The id of the event that this one follows.
    package var follows: String?

    /// Creates an event that happens now. `id` is an id that other observers of the same occurrence use too; `nil`
    /// creates a new one.
    package init(
        name: String, resource: JSONValue, related: [JSONValue] = [], payload: JSONValue = [:],
        following previous: Event? = nil, occurred: Timestamp = .now, id: String? = nil
    ) {
        self.id = id ?? UUIDv7.make(at: occurred)
        self.occurred = occurred
        self.name = name
        self.resource = resource
        self.related = Array(related.prefix(100))
        self.payload = payload
        // The API relates two events only if less than five minutes lie between them.
        if let previous, abs(occurred.seconds(since: previous.occurred)) < 300 { follows = previous.id }
    }

    /// A copy that another event can follow. It lacks the members that only the API needs.
    package var predecessor: Event {
        var event = self
        event.resource = [:]
        event.related = []
        event.payload = [:]
        return event
    }

    /// The event in the API's format.
    package var json: JSONValue {
        [
            "occurred": .string(occurred.apiFormat), "event": .string(name), "resource": resource,
            "related": .array(related), "payload": payload, "id": .string(id), "follows": JSONValue(follows),
        ]
    }
}

/// UUIDs whose order is the order of their creation.
enum UUIDv7 {
    static func make(at time: Timestamp = .now) -> String {
        let milliseconds = UInt64(max(0, time.microseconds / 1000))
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        for index in 0..<6 { bytes[index] = UInt8(truncatingIfNeeded: milliseconds >> UInt64(40 - 8 * index)) }
        return uuidText(bytes, version: 7)
    }
}
