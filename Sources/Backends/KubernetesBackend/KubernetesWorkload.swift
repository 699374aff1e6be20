internal import BackendKit
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST

/// The Kubernetes job of one flow run.
struct KubernetesWorkload: Workload {
    let backend: KubernetesBackend
    let run: RunContext
    let configuration: KubernetesConfiguration

    var description: JSONValue { configuration.json }
    var runsFlowEngine: Bool { configuration.runsFlowEngine }
    var streamsOutput: Bool { configuration.streamsOutput }
    var afterStart: any Workload {
        KubernetesWorkload(backend: backend, run: run, configuration: configuration.afterStart)
    }

    /// Waits until the job has ended, no matter which worker started it. The cluster itself reports how it ended.
    func wait(
        for identifier: InfrastructureIdentifier
    ) async throws -> ExitStatus {
        try await follower(of: identifier).run().status
    }

    // The temporary values are not part of the memory of the task, which may wait for long.
    @inline(never)
    private func follower(of identifier: InfrastructureIdentifier) throws -> JobFollower {
        let place = try JobReference(identifier)
        return JobFollower(
            place: place, reporter: run.reporter, cluster: try cluster(of: place), backend: backend,
            attention: FollowerAttention(run, configuration))
    }

    /// Forgets the run and removes its secret. The job stays until its own time to live is over.
    func cleanUp(_ identifier: InfrastructureIdentifier) async {
        guard let place = try? JobReference(identifier), let cluster = try? cluster(of: place) else { return }
        cluster.watch.forget(place)
        backend.marks.removeAll { !$0.hasPrefix(run.flowRunID) }
        for name in SecretPlan.names(ofJob: place.name, settings: backend.settings) {
            await remove(secret: name, of: place, cluster)
        }
    }

    /// Removes a secret of a job. While the cluster is unreachable, the removal is retried for some seconds.
    private func remove(
        secret name: String, of place: JobReference, _ cluster: Cluster
    ) async {
        do {
            try await retrying {
                try await cluster.client.delete(.secrets, namespace: place.namespace, name: name)
            } pause: { (error: KubernetesError, failures) in
                cluster.availability.note(error)
                guard error.isTransient, failures < 5 else { throw error }
                return Backoff(from: .seconds(1), to: .seconds(8)).pause(afterFailures: failures)
            }
        } catch let error as KubernetesError {
            run.reporter.log(
                .warning,
                "The secret '\(name)' in the namespace '\(place.namespace)' exists until its job is deleted: \(error)")
        } catch {
            // The worker shuts down. The secret is deleted together with its job.
        }
    }

    /// The cluster of an existing job. Throws when the job configuration now names another cluster.
    func cluster(of place: JobReference) throws(InfrastructureError) -> Cluster {
        let cluster = try backend.clusters.cluster(for: configuration)
        if let server = place.server, server != cluster.client.access.server {
            throw InfrastructureError(
                .notReachable,
                "Job '\(place.identifier)' is in the cluster \(server), and the worker is configured for "
                    + "\(cluster.client.access.server)")
        }
        return cluster
    }
}
