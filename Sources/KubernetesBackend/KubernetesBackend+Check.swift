internal import Synchronization
public import Worker

extension KubernetesBackend {
    /// Looks whether the worker's own cluster can be reached, and what the worker may do there. Only what no run can do
    /// without is a failure; of the rest it is said what will be missing.
    public func check() async -> BackendReport {
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
                    subject: "cluster", detail: "\(access.server), Kubernetes \(version), by \(access.origin)",
                    isGood: true))
        } catch {
            let detail =
                (error as? KubernetesError).map {
                    Refusal.explanation($0, verb: "read the version", namespace: access.namespace, access: access)
                } ?? "\(error)"
            return BackendReport(findings: [.init(subject: "cluster", detail: detail, isGood: false)])
        }
        findings += await permissions(cluster, namespace: access.namespace)
        return BackendReport(findings: findings)
    }

    /// Something that the worker does, and what becomes of it when it may not.
    private struct Need {
        let verbs: [String]
        let resource: Resource
        var subresource: String?
        /// What is missing without it; `nil` when no run can do without.
        let loss: String?
    }

    private var needs: [Need] {
        var needs = [
            Need(verbs: ["create"], resource: .jobs, loss: nil),
            Need(verbs: ["get"], resource: .jobs, loss: "the end of runs cannot be seen"),
            Need(verbs: ["list", "watch"], resource: .jobs, loss: "each run's job is asked for by itself"),
            Need(verbs: ["delete"], resource: .jobs, loss: "runs cannot be cancelled"),
            Need(
                verbs: ["list", "watch"], resource: .pods,
                loss: "why runs crash, that they wait and what happens to their pods cannot be told"),
            Need(verbs: ["get"], resource: .pods, subresource: "log", loss: "the output of runs cannot be shown"),
            Need(verbs: ["list"], resource: .events, loss: "why a pod does not begin cannot always be told"),
        ]
        if settings.createsSecretForAPIKey || settings.storesEnvironmentAsSecret {
            needs.append(Need(verbs: ["create", "patch", "delete"], resource: .secrets, loss: nil))
        }
        return needs
    }

    private func permissions(_ cluster: Cluster, namespace: String) async -> [BackendReport.Finding] {
        var findings: [BackendReport.Finding] = []
        var granted = 0
        for need in needs {
            let thing = need.subresource.map { "\(need.resource.rawValue)/\($0)" } ?? need.resource.rawValue
            let missing = await withTaskGroup(of: String?.self) { group in
                for verb in need.verbs {
                    group.addTask {
                        let isAllowed = await cluster.client.mayDo(
                            verb, need.resource, subresource: need.subresource, namespace: namespace)
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
            // Pools may use other namespaces than the worker's own, where it may be allowed more.
            let detail =
                "the worker may not \(verbs) \(thing) in the namespace '\(namespace)': \(need.loss ?? "no run can be started"); "
                + "give its service account a role with that"
            findings.append(.init(subject: "permission", detail: detail, isGood: true))
            sayOnce("\(detail.prefix(1).uppercased())\(detail.dropFirst())")
        }
        if findings.isEmpty {
            findings.append(
                .init(
                    subject: "permissions", detail: "all \(granted) that are needed in the namespace '\(namespace)'",
                    isGood: true))
        }
        return findings
    }
}
