internal import PrefectJSON
internal import PrefectREST

/// An event of a watch.
enum WatchEvent: Sendable, Hashable {
    case added(JSONValue)
    case modified(JSONValue)
    case deleted(JSONValue)
    /// Nothing has happened up to this version.
    case bookmark(version: String)
    /// The watch has ended with an error.
    case failed(KubernetesError)

    /// The version of the object, from which a watch can continue.
    var version: String? {
        switch self {
        case .added(let object), .modified(let object), .deleted(let object):
            object["metadata"]?["resourceVersion"]?.stringValue
        case .bookmark(let version): version
        case .failed: nil
        }
    }
}

/// Decodes the events in the bytes of a watch: one JSON object per line. A value without I/O.
struct WatchDecoder: Sendable {
    private var line: [UInt8] = []
    private let operation: String

    /// The largest event, in bytes.
    static let largestEvent = 16 << 20

    init(operation: String) { self.operation = operation }

    /// Takes the bytes that have arrived, and passes on the events that are now complete. Unknown kinds of events are
    /// skipped. A line that is not an event ends the watch with an error.
    mutating func decode(_ bytes: [UInt8], event body: (WatchEvent) -> Void) throws(KubernetesError) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            line += rest[..<end]
            try checkSize()
            rest = rest[(end + 1)...]
            if let event = try event(of: line) { body(event) }
            line.removeAll(keepingCapacity: true)
        }
        line += rest
        try checkSize()
    }

    private func checkSize() throws(KubernetesError) {
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
