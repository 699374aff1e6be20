internal import Logging
internal import OrderedCollections
internal import Worker

// Runs whose own worker reports nothing of them any more.
extension KubernetesBackend {
    /// Meets the pool's jobs that have failed or will, wherever its template and its deployments send them: a worker that was
    /// replaced, and whose ledger is lost, reports no crash of its runs any more.
    func lookAfter(_ pool: PoolJobs, in cluster: Cluster) async {
        guard let id = pool.id else { return }
        do {
            let destinations = try await destinations(of: pool).keys.filter {
                $0.cluster.client.access == cluster.client.access
            }
            let namespaces = Set(destinations.map(\.namespace))
            cluster.watch.feeds.meetEnded(ofPools: [id], in: namespaces)
            for namespace in namespaces { try await meetFailedJobs(ofPool: id, in: namespace, of: cluster) }
        } catch is CancellationError {
            // The worker leaves.
        } catch {
            logger.warning(
                "Runs of work pool '\(pool.pool)' that no other worker looks after may crash without a report: \(error)"
            )
        }
    }

    /// Meets the jobs that had failed before: where jobs are watched already, they have passed by. A cluster that does not answer
    /// now lists them again when it is back, and one that does not permit it has been named as such.
    private func meetFailedJobs(ofPool id: String, in namespace: String, of cluster: Cluster) async throws {
        let failed = Selection(
            namespace: namespace, labels: "\(Labels.workPoolID)=\(id)", fields: "status.successful=0")
        do {
            _ = try await cluster.client.list(.jobs, failed) { object in
                if let job = JobSnapshot(object) { cluster.watch.feeds.pass(job, of: object) }
            }
        } catch let error as KubernetesError {
            cluster.availability.note(error)
        }
    }
}
