internal import OrderedCollections
internal import PrefectJSON

/// Writes one JSON object as text, member by member.
///
/// A poll may return ten thousand runs of forty members. Building JSON values first would take seconds in a debug
/// build.
struct JSONText {
    private(set) var text = "{"

    /// The finished object.
    var closed: String { text + "}" }

    private mutating func key(_ name: String) {
        text += text.utf8.count == 1 ? "\"" : ",\""
        text += name
        text += "\":"
    }

    /// A member with a value that is already JSON text.
    mutating func add(_ name: String, raw: String) {
        key(name)
        text += raw
    }

    /// A string that needs no escaping (an id, a time), or `null`.
    mutating func add(_ name: String, plain: String?) {
        key(name)
        if let plain {
            text += "\""
            text += plain
            text += "\""
        } else {
            text += "null"
        }
    }

    /// Any string, or `null`.
    mutating func add(_ name: String, _ string: String?) {
        key(name)
        text += string.map { JSONValue.string($0).serialized() } ?? "null"
    }

    mutating func add(_ name: String, _ number: Int?) {
        key(name)
        text += number.map(String.init) ?? "null"
    }

    mutating func add(_ name: String, _ number: Double) {
        key(name)
        text += number.description
    }

    mutating func add(_ name: String, _ flag: Bool) {
        key(name)
        text += flag ? "true" : "false"
    }

    mutating func add(_ name: String, _ time: WireTime?) {
        add(name, plain: time?.description)
    }

    mutating func add(_ name: String, _ value: JSONValue) {
        key(name)
        switch value {
        case .object(let members) where members.isEmpty: text += "{}"
        case .array(let elements) where elements.isEmpty: text += "[]"
        default: text += value.serialized()
        }
    }

    mutating func add(_ name: String, _ strings: [String]) {
        add(name, JSONValue.array(strings.map(JSONValue.string)))
    }

    /// The members that every stored object begins with.
    mutating func addIdentity(id: String, created: WireTime, updated: WireTime, name: String? = nil) {
        add("id", plain: id)
        add("created", created)
        add("updated", updated)
        if let name { add("name", name) }
    }

    static func array(_ elements: some Sequence<String>) -> String { "[" + elements.joined(separator: ",") + "]" }
}
