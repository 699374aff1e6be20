internal import BackendKit
internal import JobTemplates
internal import PrefectJSON

/// A container group as the task of a flow run.
///
/// The engine knows it by ``text``. The API knows it by the flow run's id and the group's name, as the Python worker
/// writes them. Further data of the identifier distinguish the attempts at a run, and name the resource group.
struct GroupTask: Sendable, Hashable {
    /// The flow run's id.
    let flowRunID: String
    /// The name of the container group.
    let group: String
    /// The id of the claim that created the group; `nil` for a group of another worker.
    var claimID: String?
    /// The resource group, where the client does not know it.
    var location: ResourceGroup?

    /// The form that the engine keeps.
    var text: String {
        let claim = claimID.map { " of claim \($0)" } ?? ""
        return "\(flowRunID):\(group)\(claim)\(location.map { " in \($0.path)" } ?? "")"
    }

    init(flowRunID: String, group: String, claimID: String? = nil, location: ResourceGroup? = nil) {
        self.flowRunID = flowRunID
        self.group = group
        self.claimID = claimID
        self.location = location
    }

    /// Reads ``text``; `nil` for any other text.
    init?(text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard let name = words.first, let (run, group) = Self.parts(name) else { return nil }
        (flowRunID, self.group) = (run, group)
        var rest = words.dropFirst()
        if rest.count >= 3, rest.prefix(2).elementsEqual(["of", "claim"]) {
            claimID = rest[rest.startIndex + 2]
            rest = rest.dropFirst(3)
        }
        if rest.first == "in" {
            guard let place = ResourceGroup(path: rest.dropFirst().joined(separator: " ")) else { return nil }
            location = place
            rest = []
        }
        guard rest.isEmpty else { return nil }
    }

    /// The task of an identifier. Throws when the identifier has another form.
    init(_ identifier: InfrastructureIdentifier) throws(InfrastructureError) {
        guard let (run, group) = Self.parts(identifier.rawValue) else {
            throw InfrastructureError(
                .notReachable,
                "'\(identifier)' names no container group; its form is the flow run's id, a colon and the group's name")
        }
        let handle = identifier.handle
        var location: ResourceGroup?
        if let subscription = handle["subscription_id"]?.stringValue,
            let name = handle["resource_group_name"]?.stringValue
        {
            location = ResourceGroup(subscription: subscription, name: name)
        }
        self.init(flowRunID: run, group: group, claimID: handle["claim"]?.stringValue, location: location)
    }

    private static func parts(_ text: String) -> (run: String, group: String)? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty, !text.contains(" ") else { return nil }
        return (parts[0], parts[1])
    }

    /// The identifier that the API stores, with the data for a later process.
    func identifier(in place: ResourceGroup?) -> InfrastructureIdentifier {
        var handle: JSONValue = [:]
        if let claimID { handle["claim"] = .string(claimID) }
        if let location = location ?? place {
            handle["subscription_id"] = .string(location.subscription)
            handle["resource_group_name"] = .string(location.name)
        }
        return InfrastructureIdentifier(rawValue: "\(flowRunID):\(group)", handle: handle)
    }

    /// The name of the deployment that creates the group.
    var deployment: String { "prefect-\(group)" }

    /// The longest part of a flow's name in the name of a group, so that a deployment's name has at most 64 characters.
    private static let longestName = 19

    /// The name of a run's container group, which is the Python worker's. A flow whose name has no usable character
    /// gets the name `flow`, because Azure refuses the Python worker's name for it.
    static func groupName(flowName: String, flowRunID: String) -> String {
        let longest = max(1, longestName + 36 - flowRunID.utf8.count)
        let slug = Slug.make(flowName, lowercased: true, allowing: "", maximumLength: longest)
        return "\(slug.isEmpty ? "flow" : slug)-\(flowRunID)"
    }
}

/// A resource group of a subscription.
struct ResourceGroup: Sendable, Hashable {
    let subscription: String
    let name: String

    init(subscription: String, name: String) {
        self.subscription = subscription
        self.name = name
    }

    /// Reads ``path``; `nil` for any other text.
    init?(path: String) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "subscriptions", parts[3] == "resourceGroups" else {
            return nil
        }
        self.init(subscription: parts[2], name: parts[4])
    }

    /// The path as it is shown.
    var path: String { "/subscriptions/\(subscription)/resourceGroups/\(name)" }

    /// Azure compares both parts without regard to case.
    static func == (left: ResourceGroup, right: ResourceGroup) -> Bool {
        left.path.lowercased() == right.path.lowercased()
    }

    func hash(into hasher: inout Hasher) { hasher.combine(path.lowercased()) }
}
