internal import JSON
public import Worker

// Recovery of jobs that earlier processes of the worker created.
extension KubernetesBackend {
    /// Follows a job that an earlier process of the worker started, before anything else is known of its run.
    public func adopt(_ identifier: InfrastructureIdentifier, flowRunID: String, flowRunName: String) async {
        guard let place = try? JobReference(identifier), let cluster = clusters.ownCluster,
            place.server == nil || place.server == cluster.client.access.server
        else { return }
        _ = cluster.watch.follow(namespace: place.namespace, name: place.name)
    }

    /// The name under which the position of a pod's printed output is stored.
    static func mark(ofPod uid: String, flowRunID: String) -> String { "\(flowRunID)-\(uid)" }

    /// Forgets the positions of the printed output of all other runs.
    public func removeOrphans(except flowRunIDs: Set<String>) async {
        marks.removeAll { name in flowRunIDs.contains { name.hasPrefix($0) } }
    }

    /// Finds the job by its identifier. Otherwise finds it by the run's label and the end of its name, which
    /// identifies the claim.
    public func recover(
        _ job: Job<KubernetesConfiguration>, identifier: InfrastructureIdentifier?
    ) async throws -> RecoveredInfrastructure {
        do {
            guard let identifier else { return try await found(job) }
            let place = try JobReference(identifier)
            let cluster = try cluster(of: place, job)
            let found = try await reading(cluster, place.namespace, "get jobs") {
                try await cluster.client.read(.jobs, namespace: place.namespace, name: place.name)
            }
            guard let snapshot = found.flatMap({ JobSnapshot($0) }), place.uid == nil || place.uid == snapshot.uid
            else {
                cluster.watch.forget(namespace: place.namespace, name: place.name)
                return .ended(identifier)
            }
            // Waiting for the job reports how it ended, even when it has ended already.
            return .present(identifier)
        } catch let error as InfrastructureError where error.kind == .notReachable || error.kind == .refused {
            return .outOfReach
        }
    }

    private func found(_ job: Job<KubernetesConfiguration>) async throws -> RecoveredInfrastructure {
        let cluster = try clusters.cluster(for: job.configuration)
        let namespace = job.configuration.namespace
        let name = JobName.name(in: job.configuration.manifest, claimID: job.claimID)
        let suffix = JobName.suffix(claimID: job.claimID)
        let selection = Selection(namespace: namespace, labels: "\(Labels.flowRunID)=\(job.flowRunID)")
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
