internal import Hashing
internal import Notation
internal import PrefectJSON

/// The events for one phase of a pod, with the id that every observer gives them.
struct PodEvent: Sendable, Hashable {
    /// The names of the phase's events, each with its id. The first is the Python observer's, with that observer's id.
    /// A second, more exact one follows where the two differ.
    let names: [Name]
    /// The id of the first of these names.
    let id: String
    let resource: JSONValue
    /// When the pod entered the phase, as far as the pod states it.
    let occurred: Timestamp?

    /// A name of an event, and the id under which the API stores it.
    struct Name: Sendable, Hashable {
        let name: String
        let id: String
    }

    init(_ pod: PodSnapshot, diagnosis: Diagnosis?) {
        let category = diagnosis?.category?.rawValue
        let restarts = pod.containers.filter { !$0.isInit }.reduce(0) { $0 &+ $1.restarts }
        // The id is made of this text, so the keys are in order and the spacing is Python's.
        let identity: JSONValue = [
            "diagnosis": JSONValue(category), "phase": .string(pod.phase), "restart_count": .int(restarts),
            "uid": .string(pod.uid),
        ]
        let ending = pod.containers.compactMap { container -> PodSnapshot.Termination? in
            if !container.isInit, case .terminated(let termination) = container.state { termination } else { nil }
        }.first { !$0.reason.isEmpty }
        let isEvicted = pod.phase == "Failed" && (pod.reason == "Evicted" || ending?.reason == "Evicted")
        // The Python observer reports each failed pod as evicted whose container ended for a reason, like `Error`.
        let usual = pod.phase == "Failed" && ending != nil ? "evicted" : pod.phase.lowercased()
        let actual = isEvicted ? "evicted" : pod.phase.lowercased()
        id = Self.uuid(of: identity.serialized(.python))
        var names = [Name(name: "prefect.kubernetes.pod.\(usual)", id: id)]
        if actual != usual {
            // This event needs an id of its own, because the API keeps one event per id.
            var other = identity
            other["event"] = .string(actual)
            names.append(Name(name: "prefect.kubernetes.pod.\(actual)", id: Self.uuid(of: other.serialized(.python))))
        }
        self.names = names
        var resource: JSONValue = [
            "prefect.resource.id": .string("prefect.kubernetes.pod.\(pod.uid)"),
            "prefect.resource.name": .string(pod.name), "kubernetes.namespace": .string(pod.namespace),
        ]
        if let category { resource["kubernetes.diagnosis"] = .string(category) }
        if pod.phase == "Failed", let reason = ending?.reason ?? (isEvicted ? pod.reason : nil) {
            resource["kubernetes.reason"] = .string(reason)
        }
        self.resource = resource
        occurred = Self.occurred(pod)
    }

    private static func occurred(_ pod: PodSnapshot) -> Timestamp? {
        switch pod.phase {
        case "Pending": return pod.created
        case "Running":
            let begun = pod.containers.compactMap { container -> Timestamp? in
                if !container.isInit, case .running(let since) = container.state { since } else { nil }
            }
            return begun.max() ?? pod.started
        case "Succeeded", "Failed":
            return pod.containers.compactMap { container -> Timestamp? in
                if case .terminated(let termination) = container.state { termination.finished } else { nil }
            }.max()
        default: return nil
        }
    }

    /// The UUID of a name in the namespace of URLs (version 5 of RFC 9562).
    private static func uuid(of name: String) -> String {
        let namespace: [UInt8] = [
            0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8,
        ]
        return uuidText(SHA1.digest(namespace + Array(name.utf8)), version: 5)
    }
}
