internal import BackendKit
internal import OrderedCollections

/// The tags of container groups: the job's labels, and the worker's own marks.
enum ResourceTags {
    /// The mark of the worker that created a group, by which it finds its orphans.
    static let owner = "prefect-worker-owner"
    /// The mark of the claim for which a group was created.
    static let claim = "prefect-worker-claim"
    /// The number of the worker's own tags.
    static let marks = 2

    private static let longestName = 512
    private static let longestValue = 256
    private static let reservedPrefixes = ["azure", "microsoft", "windows"]

    /// The tags for labels, in the form that Azure accepts.
    static func tags(of labels: OrderedDictionary<String, String>) -> OrderedDictionary<String, String> {
        var tags: OrderedDictionary<String, String> = [:]
        for (label, value) in labels {
            var name = String(label.map { "<>%&\\?/".contains($0) || $0.isNewline ? "." : $0 }.prefix(longestName))
            if reservedPrefixes.contains(where: { name.lowercased().hasPrefix($0) }) { name = "label-\(name)" }
            guard !name.isEmpty else { continue }
            // Azure compares the names without regard to case.
            if let known = tags.keys.first(where: { $0.lowercased() == name.lowercased() }) { tags[known] = nil }
            tags[name] = String(value.prefix(longestValue))
        }
        return tags
    }

    /// The marks of a group. A group that is kept has no owner, so that no sweep deletes it.
    static func marks(of key: RemoteTaskKey, isKept: Bool) -> OrderedDictionary<String, String> {
        var marks: OrderedDictionary<String, String> = [claim: key.claimID]
        if !isKept { marks[owner] = key.owner }
        return marks
    }
}
