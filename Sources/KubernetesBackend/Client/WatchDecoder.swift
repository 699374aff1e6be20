internal import JSON

/// What a watch tells.
enum WatchEvent: Sendable, Hashable {
    case added(JSONValue)
    case modified(JSONValue)
    case deleted(JSONValue)
    /// Nothing has happened up to this version.
    case bookmark(version: String)
    /// The watch is over.
    case failed(KubernetesError)

    /// The version of the object, from which a watch can go on.
    var version: String? {
        switch self {
        case .added(let object), .modified(let object), .deleted(let object):
            object["metadata"]?["resourceVersion"]?.stringValue
        case .bookmark(let version): version
        case .failed: nil
        }
    }
}

/// Makes events of the bytes of a watch: one JSON object a line. A value without I/O.
struct WatchDecoder: Sendable {
    private var line: [UInt8] = []
    private let operation: String

    /// No event may be larger.
    static let largestEvent = 16 << 20

    init(operation: String) { self.operation = operation }

    /// Takes what has arrived and hands out the events that are complete by now. Kinds of events that are not known are
    /// passed over; what is no event ends the watch.
    mutating func decode(_ bytes: [UInt8], event hand: (WatchEvent) -> Void) throws(KubernetesError) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            line += rest[..<end]
            rest = rest[(end + 1)...]
            if let event = try event(of: line) { hand(event) }
            line.removeAll(keepingCapacity: true)
        }
        line += rest
        guard line.count <= Self.largestEvent else { throw unreadable("an event of the watch is too large") }
    }

    private func event(of line: [UInt8]) throws(KubernetesError) -> WatchEvent? {
        guard !line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) else { return nil }
        let json: JSONValue
        do {
            json = try JSONValue(parsing: line)
        } catch {
            throw unreadable("an event of the watch is \(error)")
        }
        guard let object = json["object"], object.objectValue != nil else {
            throw unreadable("an event of the watch has no object")
        }
        switch json["type"]?.stringValue {
        case "ADDED": return .added(object)
        case "MODIFIED": return .modified(object)
        case "DELETED": return .deleted(object)
        case "BOOKMARK": return object["metadata"]?["resourceVersion"]?.stringValue.map { .bookmark(version: $0) }
        case "ERROR":
            let status = object["code"]?.intValue ?? 500
            return .failed(KubernetesError(object, status: status, operation: operation))
        default: return nil
        }
    }

    private func unreadable(_ problem: String) -> KubernetesError {
        KubernetesError(kind: .unreadable, message: problem, operation: operation)
    }
}
