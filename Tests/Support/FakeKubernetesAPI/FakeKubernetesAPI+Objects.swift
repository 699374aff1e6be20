internal import NIOCore
public import PrefectJSON
internal import Synchronization

extension FakeKubernetesAPI {
    /// An object; `nil` when it does not exist.
    public func object(_ resource: String, _ name: String, namespace: String = "default") -> JSONValue? {
        state.withLock { $0.objects[ObjectKey(resource: resource, namespace: namespace, name: name)] }
    }

    /// The names of all objects of a kind.
    public func names(of resource: String) -> [String] {
        state.withLock { $0.objects.keys.filter { $0.resource == resource }.map(\.name).sorted() }
    }

    /// Creates or changes an object, and notifies the watches.
    @discardableResult
    public func put(_ resource: String, _ object: JSONValue, namespace: String = "default") -> JSONValue {
        let (stored, happening) = state.withLock { state -> (JSONValue, Happening) in
            let name = object["metadata"]?["name"]?.stringValue ?? ""
            let key = ObjectKey(resource: resource, namespace: namespace, name: name)
            var object = object
            var metadata = object["metadata"] ?? [:]
            state.serial += 1
            let known = state.objects[key]?["metadata"]
            metadata["namespace"] = .string(namespace)
            metadata["uid"] = metadata["uid"] ?? known?["uid"] ?? .string("uid-\(state.serial)")
            metadata["creationTimestamp"] =
                metadata["creationTimestamp"] ?? known?["creationTimestamp"] ?? "2026-01-01T00:00:00Z"
            object["metadata"] = metadata
            return (object, state.happen(known == nil ? "ADDED" : "MODIFIED", key, object))
        }
        tell(happening)
        return stored
    }

    /// Removes an object and notifies the watches.
    public func remove(_ resource: String, _ name: String, namespace: String = "default") {
        let key = ObjectKey(resource: resource, namespace: namespace, name: name)
        let happening = state.withLock { state -> Happening? in
            guard let object = state.objects[key] else { return nil }
            return state.happen("DELETED", key, object)
        }
        if let happening { tell(happening) }
    }

    /// Sets the conditions of a job as they are at its end.
    public func finishJob(_ name: String, _ condition: String, reason: String = "", namespace: String = "default") {
        guard var job = object("jobs", name, namespace: namespace) else { return }
        job["status"] = [
            "conditions": [["type": .string(condition), "status": "True", "reason": .string(reason)]],
            "succeeded": condition == "Complete" ? 1 : 0,
        ]
        put("jobs", job, namespace: namespace)
    }

    /// Creates or changes a pod of a job.
    public func putPod(
        _ name: String, ofJob job: String, phase: String, state: JSONValue = [:], namespace: String = "default"
    ) {
        let owner = object("jobs", job, namespace: namespace)
        var labels = owner?["metadata"]?["labels"] ?? [:]
        labels["job-name"] = .string(job)
        put(
            "pods",
            [
                "metadata": [
                    "name": .string(name), "labels": labels, "creationTimestamp": .string(Timestamp.now.apiFormat),
                    "ownerReferences": [
                        ["kind": "Job", "name": .string(job), "uid": owner?["metadata"]?["uid"] ?? "none"]
                    ],
                ],
                "status": [
                    "phase": .string(phase), "containerStatuses": [["name": "prefect-job", "state": state]],
                ],
            ], namespace: namespace)
    }

    /// Sends a bookmark to all watches.
    public func bookmark() {
        let (version, watchers) = state.withLock { ($0.version, Array($0.watchers.values)) }
        for watcher in watchers {
            FakeKubernetesConnection.send(
                ["type": "BOOKMARK", "object": ["metadata": ["resourceVersion": .string(String(version))]]],
                to: watcher.channel)
        }
    }

    func tell(_ happening: Happening) {
        let watchers = state.withLock { state in
            state.areWatchesSilent
                ? []
                : state.watchers.values.filter {
                    $0.resource == happening.key.resource
                        && ($0.namespace.isEmpty || $0.namespace == happening.key.namespace)
                }
        }
        for watcher in watchers { FakeKubernetesConnection.send(happening.event, to: watcher.channel) }
        changes.notify()
    }
}

extension FakeKubernetesAPI.Happening {
    var event: JSONValue { ["type": .string(type), "object": object] }
}

extension FakeKubernetesAPI.State {
    /// Records a change of an object, with a new version.
    mutating func happen(
        _ type: String, _ key: FakeKubernetesAPI.ObjectKey, _ object: JSONValue
    ) -> FakeKubernetesAPI.Happening {
        version += 1
        var object = object
        var metadata = object["metadata"] ?? [:]
        metadata["resourceVersion"] = .string(String(version))
        object["metadata"] = metadata
        // Assigning nil would store a JSON null.
        if type == "DELETED" { objects.removeValue(forKey: key) } else { objects[key] = object }
        let happening = FakeKubernetesAPI.Happening(version: version, type: type, key: key, object: object)
        history.append(happening)
        return happening
    }
}
