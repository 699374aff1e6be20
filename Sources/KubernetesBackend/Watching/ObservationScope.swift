/// Which runs of other workers are observed: those whose jobs are in these namespaces and have these labels.
struct ObservationScope: Sendable, Hashable {
    /// The namespaces; empty for the whole cluster.
    var namespaces: Set<String> = []
    /// The labels besides that of a flow run.
    var labels: [String: String] = [:]

    /// Whether an object in a namespace, with labels, is meant.
    func covers(namespace: String, labels found: [String: String]) -> Bool {
        (namespaces.isEmpty || namespaces.contains(namespace)) && labels.allSatisfy { found[$0.key] == $0.value }
    }
}
