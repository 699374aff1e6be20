internal import BackendKit
internal import OrderedCollections
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST

// Creating a run's job, exactly once.
extension KubernetesWorkload {
    /// Creates the job. A request that the cluster refuses is not retried. A request that the cluster cannot serve at
    /// the moment is retried, after a check whether the job exists: an answer may have been lost.
    func start() async throws -> InfrastructureIdentifier {
        let cluster = try backend.clusters.cluster(for: configuration)
        let namespace = configuration.namespace
        let name = JobName.name(in: configuration.manifest, claimID: run.claimID)
        var manifest = configuration.manifest
        let prefix = JobName.prefix(in: manifest)
        Self.change(&manifest, "metadata") { metadata in
            metadata["name"] = .string(name)
            // The cluster checks the prefix, although the name is set.
            if metadata["generateName"] != nil { metadata["generateName"] = .string(prefix) }
        }
        let creation = Creation(run: run, cluster: cluster, backend: backend, namespace: namespace, name: name)
        let job = JobReference(namespace: namespace, name: name, uid: nil, server: nil)
        // The job is followed before it exists, so that no event of it is missed.
        cluster.watch.follow(job, isNew: true)
        do {
            let secret = try await creation.makeSecret(&manifest)
            do {
                let created = try await creation.createJob(manifest)
                await creation.give(secret, to: created)
                return JobReference(
                    namespace: namespace, name: name, uid: created.uid, server: cluster.client.access.server
                ).identifier
            } catch {
                // After a cancellation the job may exist, and then it needs its secret.
                if !(error is CancellationError) { await creation.remove(secret) }
                throw error
            }
        } catch {
            cluster.watch.forget(job)
            throw error
        }
    }

    static func change(_ value: inout JSONValue, _ key: String, _ body: (inout JSONValue) -> Void) {
        var member = value[key] ?? [:]
        body(&member)
        value[key] = member
    }
}

/// The creation of one job and of its secret.
private struct Creation {
    let run: RunContext
    let cluster: Cluster
    let backend: KubernetesBackend
    let namespace: String
    let name: String

    private var client: KubernetesClient { cluster.client }

    func createJob(_ manifest: JSONValue) async throws -> JobSnapshot {
        try await persistently("Unable to create Kubernetes job", "create jobs") {
            do {
                return try await client.create(.jobs, namespace: namespace, manifest)
            } catch let error as KubernetesError where error.kind == .alreadyExists || error.mayHaveBeenApplied {
                guard let found = try? await client.read(.jobs, namespace: namespace, name: name),
                    JobSnapshot(found)?.flowRunID == run.flowRunID
                else { throw error }
                return found
            }
        }
    }

    /// Repeats an operation for as long as the cluster is unreachable or asks to wait. Other temporary failures of the
    /// cluster are retried as often as the settings permit.
    private func persistently(
        _ what: String, _ verb: String, _ body: () async throws -> JSONValue
    ) async throws -> JobSnapshot {
        var failures = 0
        return try await retrying {
            if let created = JobSnapshot(try await body()) { return created }
            throw KubernetesError(kind: .unreadable, message: "the answer is not a job", operation: "POST jobs")
        } pause: { (error: KubernetesError, attempts) in
            cluster.availability.note(error)
            let isUnavailable = error.kind == .unreachable || [429, 502, 503, 504].contains(error.status)
            if !isUnavailable { failures += 1 }
            let settings = backend.settings
            guard error.isTransient, failures < settings.creationAttempts else {
                throw Refusal.error(error, doing: what, verb: verb, namespace: namespace, access: client.access)
            }
            if attempts == 1 { run.reporter.log(.warning, "\(what), retrying: \(error.detail)") }
            let delay = settings.creationDelay
            let pause =
                Backoff(from: delay, to: isUnavailable ? delay * 16 : delay).pause(afterFailures: attempts)
                + .seconds(Double.random(in: settings.creationJitter))
            return max(min(pause, .seconds(30)), error.retryAfter ?? .zero)
        }
    }

    // MARK: Secrets

    /// Takes the secret values out of the manifest. They go into a secret of the job's own, which is created here, or
    /// become references to an existing secret.
    func makeSecret(_ manifest: inout JSONValue) async throws -> SecretPlan? {
        let made = SecretPlan(&manifest, settings: backend.settings, jobName: name)
        for credential in SecretPlan.credentials(inClearIn: manifest) { backend.log.warnOnce(credential.warning) }
        guard let plan = made else { return nil }
        let object = plan.object(namespace: namespace, flowRunID: run.flowRunID)
        do {
            do {
                _ = try await client.create(.secrets, namespace: namespace, object)
            } catch let error as KubernetesError where error.kind == .alreadyExists {
                // An earlier attempt for the same claim has created it.
                try await client.replace(.secrets, namespace: namespace, name: plan.name, object)
            }
        } catch let error as KubernetesError {
            cluster.availability.note(error)
            throw Refusal.error(
                error, doing: "Unable to create the secret of the Kubernetes job", verb: "create secrets",
                namespace: namespace, access: client.access)
        }
        return plan
    }

    /// Makes the job the secret's owner. So the cluster removes both together when no worker exists that could remove
    /// the secret at the end of the run.
    func give(_ secret: SecretPlan?, to owner: JobSnapshot) async {
        guard let secret else { return }
        do {
            try await client.replace(
                .secrets, namespace: namespace, name: secret.name,
                secret.object(namespace: namespace, flowRunID: run.flowRunID, owner: owner))
        } catch {
            run.reporter.log(
                .warning,
                "The secret '\(secret.name)' is deleted when the run has ended, but not with its job, because its "
                    + "owner could not be set: \(error)")
        }
    }

    func remove(_ secret: SecretPlan?) async {
        guard let secret else { return }
        _ = try? await client.delete(.secrets, namespace: namespace, name: secret.name)
    }
}
