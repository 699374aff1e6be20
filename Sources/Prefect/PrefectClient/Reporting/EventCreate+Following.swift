internal import FoundationEssentials
internal import Notation
internal import OrderedCollections
package import PrefectJSON

extension EventCreate {
    /// An event that happens now.
    ///
    /// - Parameters:
    ///   - resource: The labels of the resource that the event happened to, among them `prefect.resource.id`.
    ///   - related: The labels of the other resources involved, each with its `prefect.resource.role`; at most 100 are
    ///     sent.
    ///   - previous: The event that this one follows.
    ///   - id: An id that other observers of the same occurrence use too; `nil` creates a new one. The API accepts an id
    ///     only once.
    package init(
        name: String, resource: JSONValue, related: [JSONValue] = [], payload: JSONValue = [:],
        following previous: EventCreate? = nil, occurred: Timestamp = .now, id: String? = nil
    ) {
        let id = id.flatMap { UUID(uuidString: $0) } ?? UUID(uuidString: UUIDv7.make(at: occurred)) ?? UUID()
        self.init(occurred: occurred, event: name, resource: resource.objectValue ?? [:], id: id)
        self.related = related.prefix(100).compactMap(\.objectValue)
        self.payload = payload.objectValue ?? [:]
        // The API relates two events only if less than five minutes lie between them.
        let isRelated = previous.map { abs(occurred.seconds(since: $0.occurred)) < 300 } ?? false
        follows = isRelated ? previous?.id : nil
    }

    /// A copy that another event can follow. It lacks the members that only the API needs.
    package var predecessor: EventCreate { EventCreate(occurred: occurred, event: event, resource: [:], id: id) }
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
