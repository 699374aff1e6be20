internal import JSON
internal import PrefectAPI

/// A kind of object that the worker deals with, and where the API server has it.
enum Resource: String, Sendable, Hashable {
    case jobs
    case pods
    case events
    case secrets

    /// The API group; empty for the core.
    var group: String { self == .jobs ? "batch" : "" }

    /// Instead of a namespace: all of them.
    static let allNamespaces = ""

    /// The path of the objects of a namespace, or of one of them.
    func path(namespace: String, name: String? = nil, subresource: String? = nil) -> String {
        let root = group.isEmpty ? "/api/v1" : "/apis/\(group)/v1"
        let place = namespace == Self.allNamespaces ? nil : "namespaces/\(PercentEncoding.encode(namespace))"
        let parts = [root, place, rawValue, name.map { PercentEncoding.encode($0) }, subresource].compactMap { $0 }
        return parts.joined(separator: "/")
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
