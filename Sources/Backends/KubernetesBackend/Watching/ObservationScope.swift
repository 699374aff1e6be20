/// The runs of other workers that are observed: those whose jobs are in these namespaces and have these labels.
struct ObservationScope: Sendable, Hashable {
    /// The namespaces; empty for the whole cluster.
    var namespaces: Set<String> = []
    /// The required labels, besides that of a flow run.
    var labels: [String: String] = [:]

    /// Whether the scope includes an object with these labels in a namespace.
    func covers(namespace: String, labels found: [String: String]) -> Bool {
        (namespaces.isEmpty || namespaces.contains(namespace)) && labels.allSatisfy { found[$0.key] == $0.value }
    }
}
