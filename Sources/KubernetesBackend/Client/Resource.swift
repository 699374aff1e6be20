internal import JSON

/// A kind of object that the worker deals with, and where the API server has it.
enum Resource: String, Sendable, Hashable {
    case jobs
    case pods
    case events
    case secrets

    /// The API group; empty for the core.
    var group: String { self == .jobs ? "batch" : "" }

    /// The path of the objects of a namespace, or of one of them.
    func path(namespace: String, name: String? = nil, subresource: String? = nil) -> String {
        let root = group.isEmpty ? "/api/v1" : "/apis/\(group)/v1"
        let parts = [namespace.percentEncoded, rawValue, name?.percentEncoded, subresource].compactMap { $0 }
        return "\(root)/namespaces/\(parts.joined(separator: "/"))"
    }
}

/// Which objects are meant.
struct Selection: Sendable, Hashable {
    var namespace: String
    /// Kubernetes' label selector; empty for all.
    var labels = ""
    /// Kubernetes' field selector; empty for all.
    var fields = ""

    var query: [(String, String)] {
        [("labelSelector", labels), ("fieldSelector", fields)].filter { !$0.1.isEmpty }
    }
}

extension String {
    /// The text as a path segment or a part of a query.
    var percentEncoded: String {
        var encoded: [UInt8] = []
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.append(byte)
            default:
                let digits = Array("0123456789ABCDEF".utf8)
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        // A segment of dots alone would lead elsewhere.
        let isDots = !encoded.isEmpty && encoded.count <= 2 && encoded.allSatisfy { $0 == UInt8(ascii: ".") }
        return isDots ? String(repeating: "%2E", count: encoded.count) : String(decoding: encoded, as: UTF8.self)
    }
}
