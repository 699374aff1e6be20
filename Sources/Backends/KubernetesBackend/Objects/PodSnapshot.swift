internal import OrderedCollections
internal import PrefectJSON

/// The parts of a pod that the worker needs, at one moment. The rest of the object is discarded as it is read.
struct PodSnapshot: Sendable, Hashable {
    let namespace: String
    let name: String
    let uid: String
    /// The job that the pod belongs to.
    let jobName: String
    let jobUID: String
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    let phase: String
    /// The reason for the pod's state, if Kubernetes gives one: `Evicted`, ….
    let reason: String
    let message: String
    let created: Timestamp?
    let started: Timestamp?
    let isDeleting: Bool
    /// The node to which the pod was assigned.
    let node: String?
    private(set) var labels: [String: String]
    /// The scheduler's message for a pod that fits no node.
    let unschedulable: String?
    /// The containers, with the init containers first.
    let containers: [Container]

    /// One of the pod's containers.
    struct Container: Sendable, Hashable {
        let name: String
        let isInit: Bool
        let restarts: Int
        let state: State

        /// Whether the container has begun, and may have written something.
        var hasBegun: Bool {
            switch state {
            case .running, .terminated: true
            default: false
            }
        }
    }

    /// The state of a container.
    enum State: Sendable, Hashable {
        case unknown
        case waiting(reason: String, message: String)
        case running(since: Timestamp?)
        case terminated(Termination)
    }

    /// How a container ended.
    struct Termination: Sendable, Hashable {
        let exitCode: Int
        let reason: String
        let message: String
        let finished: Timestamp?
    }

    /// Reads a pod of the API; the result is `nil` for an object that is not a pod or belongs to no job.
    init?(_ json: JSONValue) {
        let metadata = json["metadata"]
        let owner = metadata?["ownerReferences"]?.arrayValue?.first { $0["kind"] == "Job" }
        guard let name = metadata?["name"]?.stringValue, let namespace = metadata?["namespace"]?.stringValue,
            let uid = metadata?["uid"]?.stringValue, let jobName = owner?["name"]?.stringValue,
            let jobUID = owner?["uid"]?.stringValue
        else { return nil }
        self.name = name
        self.namespace = namespace
        self.uid = uid
        self.jobName = jobName
        self.jobUID = jobUID
        isDeleting = metadata?["deletionTimestamp"]?.isNull == false
        created = Self.time(metadata?["creationTimestamp"])
        let status = json["status"] ?? [:]
        phase = status["phase"]?.stringValue ?? "Unknown"
        reason = status["reason"]?.stringValue ?? ""
        message = status["message"]?.stringValue ?? ""
        started = Self.time(status["startTime"])
        node = json["spec"]?["nodeName"]?.stringValue
        labels = (metadata?["labels"]?.objectValue ?? [:]).reduce(into: [:]) { $0[$1.key] = $1.value.stringValue }
        unschedulable = (status["conditions"]?.arrayValue ?? [])
            .first { $0["type"] == "PodScheduled" && $0["reason"] == "Unschedulable" }
            .map { $0["message"]?.stringValue ?? "" }
        containers =
            Self.containers(status["initContainerStatuses"], isInit: true)
            + Self.containers(status["containerStatuses"], isInit: false)
    }

    /// The pod without its labels, which only its own events need.
    var withoutLabels: PodSnapshot {
        var pod = self
        pod.labels = [:]
        return pod
    }

    private static func time(_ value: JSONValue?) -> Timestamp? { value?.stringValue.flatMap { Timestamp($0) } }

    private static func containers(_ statuses: JSONValue?, isInit: Bool) -> [Container] {
        (statuses?.arrayValue ?? []).map { status in
            Container(
                name: status["name"]?.stringValue ?? "", isInit: isInit,
                restarts: status["restartCount"]?.intValue ?? 0, state: state(status["state"] ?? [:]))
        }
    }

    private static func state(_ state: JSONValue) -> State {
        if let waiting = state["waiting"], !waiting.isNull {
            return .waiting(
                reason: waiting["reason"]?.stringValue ?? "", message: waiting["message"]?.stringValue ?? "")
        }
        if let running = state["running"], !running.isNull { return .running(since: time(running["startedAt"])) }
        if let terminated = state["terminated"], !terminated.isNull {
            return .terminated(
                Termination(
                    exitCode: terminated["exitCode"]?.intValue ?? 0, reason: terminated["reason"]?.stringValue ?? "",
                    message: terminated["message"]?.stringValue ?? "", finished: time(terminated["finishedAt"])))
        }
        return .unknown
    }
}

extension PodSnapshot {
    /// The container that runs the flow: the one whose name the manifest must use, or else the first.
    var flowContainer: Container? {
        let own = containers.filter { !$0.isInit }
        return own.first { $0.name == Self.flowContainerName } ?? own.first
    }

    /// The container that certainly runs the flow: the one of that name, or the only one.
    var knownFlowContainer: Container? {
        let own = containers.filter { !$0.isInit }
        return own.count == 1 ? own.first : own.first { $0.name == Self.flowContainerName }
    }

    /// The name of the container that runs the flow, as the manifest must use it.
    static let flowContainerName = "prefect-job"

    /// How the flow's container ended, once it has ended.
    var termination: Termination? {
        if case .terminated(let termination)? = flowContainer?.state { termination } else { nil }
    }

    /// Whether the flow's container has begun, and may have written something.
    var hasBegun: Bool { flowContainer?.hasBegun == true }

    /// Whether none of the pod's containers has begun yet, so that nothing in the pod runs.
    var isUnbegun: Bool { phase == "Pending" && !containers.contains(where: \.hasBegun) }

    /// Whether nothing in the pod runs any more.
    var hasEnded: Bool { phase == "Succeeded" || phase == "Failed" }
}
