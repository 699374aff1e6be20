public import BackendKit
internal import PrefectJSON

// Recovery of jobs that earlier processes of the worker created.
extension KubernetesBackend {
    /// Follows a job that an earlier process of the worker started, before anything else is known of its run.
    public func adopt(_ identifier: InfrastructureIdentifier, flowRunID: String, flowRunName: String) async {
        guard let place = try? JobReference(identifier), let cluster = clusters.ownCluster,
            place.server == nil || place.server == cluster.client.access.server
        else { return }
        cluster.watch.follow(place)
    }

    /// The name under which the position of a pod's printed output is stored.
    static func mark(ofPod uid: String, flowRunID: String) -> String { "\(flowRunID)-\(uid)" }

    /// Forgets the positions of the printed output of all other runs.
    public func removeOrphans(except flowRunIDs: Set<String>) async {
        marks.removeAll { name in flowRunIDs.contains { name.hasPrefix($0) } }
    }
}
