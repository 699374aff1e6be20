internal import BackendKit
internal import PrefectJSON
internal import PrefectREST

// Recovery of a job that an earlier process of the worker created.
extension KubernetesWorkload {
    /// Finds the job by its identifier. Otherwise finds it by the run's label and the end of its name, which
    /// identifies the claim.
    func recover(_ identifier: InfrastructureIdentifier?) async throws -> RecoveredInfrastructure {
        do {
            guard let identifier else { return try await found() }
            let place = try JobReference(identifier)
            let cluster = try cluster(of: place)
            let found = try await reading(cluster, place.namespace, "get jobs") {
                try await cluster.client.read(.jobs, namespace: place.namespace, name: place.name)
            }
            guard let snapshot = found.flatMap({ JobSnapshot($0) }), place.uid == nil || place.uid == snapshot.uid
            else {
                cluster.watch.forget(place)
                return .ended(identifier)
            }
            // Waiting for the job reports how it ended, even when it has ended already.
            return .present(identifier)
        } catch let error as InfrastructureError where error.kind == .notReachable || error.kind == .refused {
            return .outOfReach
        }
    }

    private func found() async throws -> RecoveredInfrastructure {
        let cluster = try backend.clusters.cluster(for: configuration)
        let namespace = configuration.namespace
        let name = JobName.name(in: configuration.manifest, claimID: run.claimID)
        let suffix = JobName.suffix(claimID: run.claimID)
        let selection = Selection(namespace: namespace, labels: "\(Labels.flowRunID)=\(run.flowRunID)")
        let found = try await reading(cluster, namespace, "list jobs") {
            var found: JobSnapshot?
            _ = try await cluster.client.list(.jobs, selection) { object in
                guard let candidate = JobSnapshot(object) else { return }
                if candidate.name.hasSuffix(suffix) || candidate.name == name { found = candidate }
            }
            return found
        }
        guard let found else { return .neverStarted }
        return .present(
            JobReference(
                namespace: found.namespace, name: found.name, uid: found.uid, server: cluster.client.access.server
            ).identifier)
    }

    private func reading<Result>(
        _ cluster: Cluster, _ namespace: String, _ verb: String, _ body: () async throws -> Result
    ) async throws -> Result {
        do {
            return try await body()
        } catch let error as KubernetesError {
            cluster.availability.note(error)
            throw Refusal.error(
                error, doing: "The Kubernetes job could not be looked up", verb: verb, namespace: namespace,
                access: cluster.client.access)
        }
    }
}
