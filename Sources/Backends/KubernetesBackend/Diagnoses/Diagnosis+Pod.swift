internal import BackendKit

extension Diagnosis {
    /// The problem of a pod; `nil` when no problem is visible.
    ///
    /// The problems that the Python observer looks for come first and in its order, since its events name them. These
    /// are waiting and ended containers, the scheduler, the node.
    init?(_ pod: PodSnapshot) {
        if let found = pod.containers.lazy.compactMap(Self.known(waiting:)).first
            ?? pod.containers.lazy.compactMap(Self.init(ended:)).first ?? Self.unschedulable(pod) ?? Self.evicted(pod)
            ?? pod.containers.lazy.compactMap(Self.other(waiting:)).first
            ?? pod.containers.lazy.compactMap(Self.other(ended:)).first
        {
            self = found
        } else {
            return nil
        }
    }

    private static func known(waiting container: PodSnapshot.Container) -> Diagnosis? {
        guard case .waiting(let reason, let message) = container.state else { return nil }
        switch reason {
        case "ImagePullBackOff", "ErrImagePull":
            return Diagnosis(
                category: .imagePull, level: .error,
                summary: "The image of container '\(container.name)' cannot be pulled",
                detail: message.isEmpty ? reason : message,
                remedy:
                    "Check the image's name and tag, that the registry has it, and the image pull secrets of the pod's "
                    + "service account if the registry is private")
        case "CrashLoopBackOff":
            return Diagnosis(
                category: .crashLoop, level: .error, summary: "Container '\(container.name)' crashes again and again",
                detail: message, remedy: "Look at its log for the cause, and check the command and the environment")
        default: return nil
        }
    }

    /// The problems of waiting containers that the Python observer does not look for.
    private static func other(waiting container: PodSnapshot.Container) -> Diagnosis? {
        guard case .waiting(let reason, let message) = container.state else { return nil }
        func diagnosis(_ summary: String, _ remedy: String) -> Diagnosis {
            Diagnosis(category: nil, level: .error, summary: summary, detail: message, remedy: remedy)
        }
        switch reason {
        case "InvalidImageName":
            return diagnosis(
                "The image of container '\(container.name)' has no valid name", "Correct the job variable 'image'")
        case "ErrImageNeverPull":
            return diagnosis(
                "The image of container '\(container.name)' is not on the node and may not be pulled",
                "Set 'image_pull_policy' to IfNotPresent, or load the image onto the node")
        case "CreateContainerConfigError":
            return diagnosis(
                "Container '\(container.name)' cannot be configured",
                "Check that the secrets and config maps that it refers to exist in the namespace, with those keys")
        case "CreateContainerError", "RunContainerError":
            return diagnosis(
                "Container '\(container.name)' cannot be started", "Check the command, the mounts and the image")
        default: return nil
        }
    }

    private init?(ended container: PodSnapshot.Container) {
        guard case .terminated(let termination) = container.state else { return nil }
        switch termination.reason {
        case "OOMKilled":
            self.init(
                category: .outOfMemory, level: .error,
                summary: "Container '\(container.name)' was killed because it exceeded its memory limit (OOMKilled)",
                detail: termination.message,
                remedy: "Raise 'memory_limit', or let the flow use less memory")
        case "Evicted":
            self.init(
                category: .evicted, level: .warning, summary: "Container '\(container.name)' was evicted",
                detail: termination.message, remedy: Self.evictionRemedy)
        default: return nil
        }
    }

    /// The problem of a failed container for which the runtime, or its own program, has written a message.
    private static func other(ended container: PodSnapshot.Container) -> Diagnosis? {
        guard case .terminated(let termination) = container.state, termination.exitCode != 0,
            termination.message.contains(where: { !$0.isWhitespace })
        else { return nil }
        switch termination.reason {
        case "ContainerCannotRun", "StartError":
            return Diagnosis(
                category: nil, level: .error,
                summary: "Container '\(container.name)' could not be started (\(termination.reason))",
                detail: termination.message,
                remedy: "Check that the image has the command, and check the working directory and the mounts")
        default:
            let reason = termination.reason.isEmpty ? "" : " (\(termination.reason))"
            return Diagnosis(
                category: nil, level: .error,
                summary: "Container '\(container.name)' ended with exit code \(termination.exitCode)\(reason)",
                detail: termination.message, remedy: "Look at its log for the cause")
        }
    }

    private static let evictionRemedy =
        "Raise the memory and storage requests so that the flow runs on a node with enough capacity, and check the "
        + "node's conditions"

    private static func evicted(_ pod: PodSnapshot) -> Diagnosis? {
        guard pod.reason == "Evicted" else { return nil }
        return Diagnosis(
            category: .evicted, level: .warning, summary: "Pod '\(pod.name)' was evicted from its node",
            detail: pod.message, remedy: evictionRemedy)
    }

    private static func unschedulable(_ pod: PodSnapshot) -> Diagnosis? {
        guard let message = pod.unschedulable else { return nil }
        let text = message.lowercased()
        let (category, remedy): (Category, String) =
            if text.contains("taint") {
                (.taint, "Add tolerations to the job manifest, or a node without that taint")
            } else if text.contains("affinity") || text.contains("node selector") {
                (.nodeAffinity, "Correct the node selector or the affinity of the job manifest, or label a node")
            } else if text.contains("insufficient") {
                (.insufficientResources, "Lower the CPU and memory requests, or add a node with more")
            } else {
                (.unschedulable, "Look at the nodes with 'kubectl get nodes', and at what the job manifest demands")
            }
        return Diagnosis(
            category: category, level: .warning, summary: "No node can run the pod", detail: message, remedy: remedy)
    }
}
