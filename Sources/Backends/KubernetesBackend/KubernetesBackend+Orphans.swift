internal import BackendKit
internal import Logging
internal import OrderedCollections
internal import PrefectREST

// Runs whose own worker does not report on them any more.
extension KubernetesBackend {
    /// Finds the pool's jobs that have failed or will fail, in every namespace that its template and its deployments
    /// name. A worker that was replaced, and whose ledger is lost, no longer reports the crashes of its runs.
    func lookAfter(_ pool: PoolJobs, in cluster: Cluster) async {
        guard let id = pool.id else { return }
        do {
            let destinations = try await destinations(of: pool).keys.filter {
                $0.cluster.client.access == cluster.client.access
            }
            let namespaces = Set(destinations.map(\.namespace))
            cluster.watch.meetEnded(ofPool: id, in: namespaces)
            for namespace in namespaces { try await meetFailedJobs(ofPool: id, in: namespace, of: cluster) }
        } catch is CancellationError {
            // The worker shuts down.
        } catch {
            log.logger.warning(
                "Crashes of orphaned runs of work pool '\(pool.pool)' may go unreported: \(error)"
            )
        }
    }

    /// Finds the jobs that failed earlier, because a watch that runs already does not report them again. An
    /// unavailable cluster lists them when it is available again. A cluster that does not permit the list has been
    /// reported as such.
    private func meetFailedJobs(ofPool id: String, in namespace: String, of cluster: Cluster) async throws {
        let failed = Selection(
            namespace: namespace, labels: "\(Labels.workPoolID)=\(id)", fields: "status.successful=0")
        do {
            _ = try await cluster.client.list(.jobs, failed) { object in
                if let job = JobSnapshot(object) { cluster.watch.pass(job, of: object) }
            }
        } catch let error as KubernetesError {
            cluster.availability.note(error)
        }
    }
}
