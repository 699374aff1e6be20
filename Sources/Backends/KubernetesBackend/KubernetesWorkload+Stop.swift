internal import BackendKit
internal import PrefectJSON
internal import PrefectREST

// Ending a run's job.
extension KubernetesWorkload {
    /// Deletes the job and waits until the job and its pods are gone.
    ///
    /// A pod in which nothing has begun is deleted at once and without a grace, since nothing in it could be asked to
    /// end. A flow that is being cancelled learns of that by itself, within its pod. It gets its grace to end, and
    /// some more time to run its hooks. Then the job is deleted in the foreground: its pods get SIGTERM and their
    /// grace. A pod that still exists after `grace`, as on an unavailable node, is deleted without one.
    func stop(
        _ identifier: InfrastructureIdentifier, grace: Duration, reason: StopReason
    ) async throws {
        let place = try JobReference(identifier)
        let cluster = try cluster(of: place)
        let stopping = JobStop(place: place, cluster: cluster)
        do {
            guard let found = try await stopping.read() else {
                throw InfrastructureError(.notFound, "Kubernetes job '\(identifier)' does not exist any more")
            }
            if found.ending != nil { return }
            if reason == .cancelled, configuration.runsFlowEngine, try await stopping.hasRunningPod(),
                try await stopping.waitForEnd(atMost: grace + Self.hookTime)
            {
                return
            }
            try await stopping.delete(found, grace: grace)
        } catch let error as KubernetesError {
            cluster.availability.note(error)
            throw Refusal.error(
                error, doing: "Unable to delete Kubernetes job '\(identifier)'", verb: "delete jobs",
                namespace: place.namespace, access: cluster.client.access)
        }
    }

    /// The time beyond its grace that a cancelled flow has to learn of the cancellation and to run its hooks.
    private static let hookTime = Duration.seconds(10)
}

/// The stop of one job.
private struct JobStop {
    let place: JobReference
    let cluster: Cluster

    private var client: KubernetesClient { cluster.client }

    /// The job; `nil` when the job is gone, even if another job has its name.
    func read() async throws -> JobSnapshot? {
        let found = try await client.read(.jobs, namespace: place.namespace, name: place.name)
        guard let job = found.flatMap({ JobSnapshot($0) }), place.uid == nil || place.uid == job.uid else { return nil }
        return job
    }

    private func pods() async throws -> [PodSnapshot] {
        var pods: [PodSnapshot] = []
        let selection = Selection(namespace: place.namespace, labels: "job-name=\(place.name)")
        _ = try await client.list(.pods, selection) { if let pod = PodSnapshot($0) { pods.append(pod) } }
        return pods
    }

    func hasRunningPod() async throws -> Bool {
        do {
            return try await pods().contains { $0.phase == "Running" && !$0.isDeleting }
        } catch let error as KubernetesError where error.kind == .forbidden {
            return true
        }
    }

    /// Waits until the job has ended or is gone. Returns whether that happened within the limit.
    func waitForEnd(atMost limit: Duration) async throws -> Bool {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(500))
            guard let job = try await read() else { return true }
            if job.ending != nil { return true }
        }
        return false
    }

    private func waitUntilGone(atMost limit: Duration) async throws -> Bool {
        let deadline = ContinuousClock.now + limit
        var mayHaveUnbegunPods = true
        while ContinuousClock.now < deadline {
            if mayHaveUnbegunPods { mayHaveUnbegunPods = try await deleteUnbegunPods() }
            if try await read() == nil { return true }
            try await Task.sleep(for: .milliseconds(mayHaveUnbegunPods ? 200 : 500))
        }
        return try await read() == nil
    }

    /// Deletes the pods in which nothing has begun. Each deletion names a version, so a pod that has begun meanwhile
    /// keeps its grace. Returns whether there were such pods, or no pod yet.
    private func deleteUnbegunPods() async throws -> Bool {
        do {
            var found: [(pod: PodSnapshot, version: String?)] = []
            let selection = Selection(namespace: place.namespace, labels: "job-name=\(place.name)")
            _ = try await client.list(.pods, selection) { object in
                guard let pod = PodSnapshot(object) else { return }
                found.append((pod, object["metadata"]?["resourceVersion"]?.stringValue))
            }
            let unbegun = found.filter { $0.pod.isUnbegun }
            for (pod, version) in unbegun {
                try await client.delete(
                    .pods, namespace: place.namespace, name: pod.name, uid: pod.uid, version: version, grace: .zero)
            }
            return found.isEmpty || !unbegun.isEmpty
        } catch let error as KubernetesError where error.kind == .forbidden {
            return false
        }
    }

    func delete(_ job: JobSnapshot, grace: Duration) async throws {
        try await client.delete(
            .jobs, namespace: place.namespace, name: place.name, uid: job.uid, grace: grace, propagation: .foreground)
        // Kubernetes deletes the pods shortly after the request to delete the job.
        if try await waitUntilGone(atMost: grace + .seconds(10)) { return }
        do {
            for pod in try await pods() {
                try await client.delete(
                    .pods, namespace: place.namespace, name: pod.name, uid: pod.uid, grace: .zero)
            }
        } catch let error as KubernetesError where error.kind == .forbidden {
            // Without this permission, the cluster's own time limits have to suffice.
        }
        guard try await waitUntilGone(atMost: .seconds(30)) else {
            throw KubernetesError(
                kind: .overloaded, message: "it still exists, with a pod that does not end", operation: "DELETE job")
        }
    }
}
