internal import AzureAccess
internal import BackendKit
internal import PrefectJSON
internal import PrefectREST

/// The actions that Azure permits to an identity in a place.
struct GrantedActions: Sendable {
    private struct Grant {
        let actions: [String]
        let exceptions: [String]
    }

    private let grants: [Grant]

    /// Reads a listing of permissions.
    init(_ listing: [JSONValue]) {
        grants = listing.map { entry in
            func patterns(_ field: String) -> [String] {
                (entry[field]?.arrayValue ?? []).compactMap { $0.stringValue?.lowercased() }
            }
            return Grant(actions: patterns("actions"), exceptions: patterns("notActions"))
        }
    }

    /// Whether one of the grants covers an action.
    func permits(_ action: String) -> Bool {
        let action = action.lowercased()
        return grants.contains { grant in
            grant.actions.contains { Self.matches(action, $0) }
                && !grant.exceptions.contains { Self.matches(action, $0) }
        }
    }

    /// Whether a text matches a pattern in which `*` stands for any text.
    private static func matches(_ text: String, _ pattern: String) -> Bool {
        let parts = pattern.split(separator: "*", omittingEmptySubsequences: false)
        guard let first = parts.first, text.hasPrefix(first) else { return false }
        guard parts.count > 1 else { return text == pattern }
        var rest = text.dropFirst(first.count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let range = rest.firstRange(of: part) else { return false }
            rest = rest[range.upperBound...]
        }
        return rest.hasSuffix(parts.last ?? "")
    }
}

extension ContainerInstancesService {
    /// The actions that runs need, each with the consequence of a missing permission; `nil` when no run can start.
    static let neededActions: [(action: String, loss: String?)] = [
        ("Microsoft.Resources/deployments/read", nil),
        ("Microsoft.Resources/deployments/write", nil),
        ("Microsoft.Resources/deployments/operationstatuses/read", nil),
        ("Microsoft.ContainerInstance/containerGroups/read", nil),
        ("Microsoft.ContainerInstance/containerGroups/write", nil),
        ("Microsoft.ContainerInstance/containerGroups/delete", "container groups remain after their runs"),
        ("Microsoft.ContainerInstance/containerGroups/stop/action", "runs cannot be stopped with a grace"),
        ("Microsoft.ContainerInstance/containerGroups/containers/logs/read", "'stream_output' prints nothing"),
        ("Microsoft.Resources/deployments/delete", "deployments remain, and Azure keeps at most 800"),
        ("Microsoft.Resources/deployments/cancel/action", "a run that is cancelled early may still start"),
    ]

    /// The missing permissions in a resource group, by one request.
    func permissions(
        _ client: ContainerInstancesClient, _ group: ResourceGroup, isPartial: Bool
    ) async -> [BackendReport.Finding] {
        let granted: GrantedActions
        do {
            granted = GrantedActions(
                try await client.arm.list(
                    Requests.permissions(in: group), version: Requests.permissions,
                    operation: "list the permissions in '\(group.name)'"))
        } catch {
            let detail = "not checked, because Azure does not list them: \(error)"
            return [.init(subject: "permissions", detail: detail, isGood: true)]
        }
        let missing = Self.neededActions.filter { !granted.permits($0.action) }
        guard !missing.isEmpty else {
            let detail = "all \(Self.neededActions.count) granted in '\(group.name)'"
            return [.init(subject: "permissions", detail: detail, isGood: true)]
        }
        return missing.map { need in
            .init(
                subject: "permission",
                detail:
                    "'\(need.action)' is missing in '\(group.name)': \(need.loss ?? "no run can start there"); give "
                    + "the worker's identity a role that has it", isGood: false,
                isPartial: isPartial || need.loss != nil)
        }
    }
}
