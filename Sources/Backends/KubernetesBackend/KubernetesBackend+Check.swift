public import BackendKit
internal import OrderedCollections
internal import PrefectREST

extension KubernetesBackend {
    /// Checks whether the worker's own cluster can be reached. Also checks the worker's permissions in the namespaces
    /// that the templates and the deployments of the pools name. Without a pool, it checks the worker's own namespace.
    /// A missing permission is a partial failure.
    public func check(_ pools: [PoolJobs]) async -> BackendReport {
        let access: ClusterAccess
        switch clusters.own {
        case .failure(let error):
            return BackendReport(findings: [.init(subject: "cluster", detail: error.description, isGood: false)])
        case .success(let own): access = own
        }
        guard let cluster = clusters.ownCluster else {
            return BackendReport(findings: [
                .init(subject: "cluster", detail: "the Kubernetes client could not be started", isGood: false)
            ])
        }
        var findings: [BackendReport.Finding] = []
        do {
            let version = try await cluster.availability.probe()
            findings.append(
                .init(
                    subject: "cluster", detail: "\(access.server), Kubernetes \(version), from the \(access.origin)",
                    isGood: true))
        } catch {
            let detail =
                (error as? KubernetesError).map {
                    Refusal.explanation($0, verb: "read the version", namespace: access.namespace, access: access)
                } ?? "\(error)"
            return BackendReport(findings: [.init(subject: "cluster", detail: detail, isGood: false)])
        }
        var destinations: OrderedDictionary<Destination, String> = [:]
        if pools.isEmpty { destinations[Destination(cluster: cluster, namespace: access.namespace)] = "" }
        for pool in pools {
            do {
                destinations.merge(try await self.destinations(of: pool)) { first, _ in first }
            } catch {
                findings.append(
                    .init(
                        subject: "namespaces",
                        detail: "the namespaces of deployments of work pool '\(pool.pool)' are not checked: \(error)",
                        isGood: false, isPartial: true))
            }
        }
        for (destination, source) in destinations { findings += await permissions(in: destination, source) }
        return BackendReport(findings: findings)
    }

    /// A namespace of a cluster, as a destination of jobs.
    struct Destination: Hashable {
        let cluster: Cluster
        let namespace: String

        static func == (left: Destination, right: Destination) -> Bool {
            left.cluster.client.access == right.cluster.client.access && left.namespace == right.namespace
        }

        func hash(into hasher: inout Hasher) {
            hasher.combine(cluster.client.access)
            hasher.combine(namespace)
        }
    }

    /// The destinations of a pool's jobs, each with the source that names it. A cluster with an invalid configuration
    /// is skipped, because its runs report the cause.
    func destinations(of pool: PoolJobs) async throws -> OrderedDictionary<Destination, String> {
        var found: OrderedDictionary<Destination, String> = [:]
        for part in try await pool.parts(["namespace", "cluster_config"]) {
            guard let configuration = try? KubernetesConfiguration(rendered: part.fields),
                let cluster = try? clusters.cluster(for: configuration)
            else { continue }
            let destination = Destination(cluster: cluster, namespace: configuration.namespace)
            if found[destination] == nil { found[destination] = part.source }
        }
        return found
    }

    /// An operation of the worker, and the consequence of a missing permission for it.
    private struct Need {
        let verbs: [String]
        let resource: Resource
        var subresource: String?
        /// The consequence of the missing permission; `nil` when no run can start without the permission.
        let loss: String?
    }

    private var needs: [Need] {
        var needs = [
            Need(verbs: ["create"], resource: .jobs, loss: nil),
            Need(verbs: ["get"], resource: .jobs, loss: "the worker cannot see the end of runs"),
            Need(verbs: ["list", "watch"], resource: .jobs, loss: "the worker requests each run's job separately"),
            Need(verbs: ["delete"], resource: .jobs, loss: "runs cannot be cancelled"),
            Need(
                verbs: ["list", "watch"], resource: .pods,
                loss: "the worker cannot report why runs crash or wait, or the events of their pods"),
            Need(
                verbs: ["delete"], resource: .pods,
                loss: "a stopped run may keep a pod that has not begun or does not end"),
            Need(verbs: ["get"], resource: .pods, subresource: "log", loss: "the output of runs cannot be shown"),
            Need(verbs: ["list"], resource: .events, loss: "the worker cannot always report why a pod does not begin"),
        ]
        if settings.createsSecretForAPIKey || settings.storesEnvironmentAsSecret {
            needs.append(Need(verbs: ["create", "update", "delete"], resource: .secrets, loss: nil))
        }
        return needs
    }

    private func permissions(in destination: Destination, _ source: String) async -> [BackendReport.Finding] {
        let place =
            "in the namespace '\(destination.namespace)'"
            + (source.isEmpty ? "" : ", which \(source) names")
        var findings: [BackendReport.Finding] = []
        var granted = 0
        for need in needs {
            let thing = need.subresource.map { "\(need.resource.rawValue)/\($0)" } ?? need.resource.rawValue
            let missing = await withTaskGroup(of: String?.self) { group in
                for verb in need.verbs {
                    group.addTask {
                        let isAllowed = await destination.cluster.client.mayDo(
                            verb, need.resource, subresource: need.subresource, namespace: destination.namespace)
                        return isAllowed == false ? verb : nil
                    }
                }
                var missing: [String] = []
                for await verb in group { if let verb { missing.append(verb) } }
                return missing.sorted()
            }
            granted += need.verbs.count - missing.count
            guard !missing.isEmpty else { continue }
            let verbs = missing.joined(separator: ", ")
            let detail =
                "the worker may not \(verbs) \(thing) \(place): \(need.loss ?? "no run can be started there"); "
                + "give its service account a role that allows it"
            findings.append(.init(subject: "permission", detail: detail, isGood: false, isPartial: true))
        }
        if findings.isEmpty {
            findings.append(
                .init(
                    subject: "permissions", detail: "all \(granted) granted \(place)",
                    isGood: true))
        }
        return findings
    }
}
