internal import PrefectJSON
internal import PrefectREST

/// A kind of object that the worker uses, and its path at the API server.
enum Resource: String, Sendable, Hashable {
    case jobs
    case pods
    case events
    case secrets

    /// The API group; empty for the core group.
    var group: String { self == .jobs ? "batch" : "" }

    /// The value that represents all namespaces.
    static let allNamespaces = ""

    /// The path of the objects of a namespace, or of one of them.
    func path(namespace: String, name: String? = nil, subresource: String? = nil) -> String {
        let root = group.isEmpty ? "/api/v1" : "/apis/\(group)/v1"
        let place = namespace == Self.allNamespaces ? nil : "namespaces/\(PercentEncoding.encode(namespace))"
        let parts = [root, place, rawValue, name.map { PercentEncoding.encode($0) }, subresource].compactMap { $0 }
        return parts.joined(separator: "/")
    }
}

/// The objects that a list or a watch selects.
struct Selection: Sendable, Hashable {
    var namespace: String
    /// Kubernetes' label selector; empty for all.
    var labels = ""
    /// Kubernetes' field selector; empty for all.
    var fields = ""

    var query: [(name: String, value: String)] {
        [("labelSelector", labels), ("fieldSelector", fields)].filter { !$0.1.isEmpty }
    }
}
