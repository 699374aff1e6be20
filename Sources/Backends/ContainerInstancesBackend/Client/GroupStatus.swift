internal import AzureAccess
internal import BackendKit
internal import OrderedCollections
internal import PrefectJSON

/// A container group as Azure describes it. The first container is that of the flow run.
public struct GroupStatus: Sendable, Equatable {
    /// The state of a container.
    struct Container: Sendable, Equatable {
        /// `Waiting`, `Running` or `Terminated`.
        var state: String
        var exitCode: Int?
        var detail: String
    }

    /// The progress of Azure's own work on the group: `Creating`, `Succeeded`, `Failed` and others.
    let provisioning: String
    /// The state of the whole group; empty where a listing does not contain it.
    let state: String
    /// The container; `nil` where it has no state yet or a listing does not contain it.
    let container: Container?
    /// The name of the container.
    let containerName: String?
    /// The latest event that warns of a problem.
    let warning: String?
    let tags: OrderedDictionary<String, String>
    /// The memory of the container in gigabytes.
    let memory: Double?

    /// Reads a group; `nil` for a value that is none.
    init?(_ json: JSONValue) {
        guard let properties = json["properties"], properties.objectValue != nil else { return nil }
        provisioning = properties["provisioningState"]?.stringValue ?? ""
        state = properties["instanceView"]?["state"]?.stringValue ?? ""
        tags = (json["tags"]?.objectValue ?? [:]).compactMapValues(\.stringValue)
        let first = properties["containers"]?[0]
        containerName = first?["name"]?.stringValue
        memory = first?["properties"]?["resources"]?["requests"]?["memoryInGB"]?.doubleValue
        let view = first?["properties"]?["instanceView"]
        container = (view?["currentState"]).flatMap { current in
            current["state"]?.stringValue.map { state in
                Container(
                    state: state, exitCode: current["exitCode"]?.intValue,
                    detail: current["detailStatus"]?.stringValue ?? "")
            }
        }
        let events = (view?["events"]?.arrayValue ?? []) + (properties["instanceView"]?["events"]?.arrayValue ?? [])
        let latest = events.filter { $0["type"]?.stringValue == "Warning" }.max { left, right in
            (left["lastTimestamp"]?.stringValue ?? "") < (right["lastTimestamp"]?.stringValue ?? "")
        }
        warning = latest?["message"]?.stringValue.map { message in
            String(message.split(whereSeparator: \.isNewline).joined(separator: " ").prefix(500)).trimmedSentence
        }
    }

    /// The tag of the claim for which the group was created. Azure may change the case of a tag's name.
    var claim: String? { tag(ResourceTags.claim) }

    /// The tag of the worker that created the group.
    var owner: String? { tag(ResourceTags.owner) }

    private func tag(_ name: String) -> String? {
        tags[name] ?? tags.first { $0.key.lowercased() == name }?.value
    }

    /// Whether the description contains the state of the container, or Azure's work on the group has failed.
    var isDetailed: Bool { container != nil || !state.isEmpty || provisioning == "Failed" }

    /// Whether the container has begun.
    var hasBegun: Bool { container.map { $0.state != "Waiting" } ?? false }

    /// How the run ended; `nil` while it has not.
    var end: ExitStatus? {
        if let container, container.state == "Terminated" { return end(of: container) }
        // Containers may still end by themselves while their group is being stopped.
        if container?.state == "Running" { return nil }
        switch state {
        case "Stopped":
            return ExitStatus(code: container?.exitCode, reason: "The container group was stopped.")
        case "Failed", "Succeeded":
            guard container == nil else { return nil }
            return ExitStatus(
                code: nil, reason: "The container group ended as \(state)\(warning.map { ": \($0)" } ?? "").")
        default:
            guard provisioning == "Failed" else { return nil }
            return ExitStatus(
                code: nil,
                reason:
                    "Azure could not start the container group\(warning.map { ": \($0)" } ?? ""); see its events in "
                    + "the portal.")
        }
    }

    private func end(of container: Container) -> ExitStatus {
        let detail = container.detail.trimmedSentence
        let code = container.exitCode
        if detail.contains("OOM") {
            let limit = memory.map { " of \($0) GB" } ?? ""
            return ExitStatus(
                code: code,
                reason: "The container exceeded its memory limit\(limit) (\(detail)); raise the job variable 'memory'.")
        }
        if detail.hasPrefix("Error:") || [126, 127].contains(code) && !["", "Error", "Completed"].contains(detail) {
            return ExitStatus(
                code: code,
                reason:
                    "The container could not start: \(detail.prefix(500)); correct the job variable 'entrypoint' or "
                    + "'command'. An image other than Prefect's needs 'entrypoint: null'.")
        }
        guard code == nil else {
            let isPlain = ["", "Error", "Completed"].contains(detail)
            return ExitStatus(code: code, reason: isPlain ? nil : "Azure reports: \(detail.prefix(500)).")
        }
        return ExitStatus(
            code: nil,
            reason: "The container ended without an exit code\(detail.isEmpty ? "" : ": \(detail.prefix(500))").")
    }

    /// Why the container has not begun; `nil` when it has.
    var reasonForWaiting: String? {
        guard end == nil, isDetailed, !hasBegun else { return nil }
        let reason = warning ?? (container?.detail).flatMap { $0.isEmpty ? nil : $0 } ?? provisioning.lowercased()
        return "The container group waits for its container to start: \(reason)"
    }
}
