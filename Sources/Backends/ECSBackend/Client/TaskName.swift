/// The name of a task as the API stores it: the cluster, as configured or as its ARN, and the ARN of the task.
struct TaskName: Sendable, Hashable {
    let cluster: String
    let arn: String

    init(cluster: String?, arn: String) {
        self.cluster = cluster ?? Self.cluster(of: arn)
        self.arn = arn
    }

    /// Reads a stored name; `nil` for a text in another form.
    init?(_ text: String) {
        guard let separator = text.firstRange(of: "::") else { return nil }
        let arn = text[separator.upperBound...]
        guard arn.hasPrefix("arn:"), separator.lowerBound > text.startIndex else { return nil }
        cluster = String(text[..<separator.lowerBound])
        self.arn = String(arn)
    }

    var text: String { "\(cluster)::\(arn)" }

    /// The task's id.
    var id: String { String(arn.split(separator: "/").last ?? "") }

    /// The region in the ARN.
    var region: String? {
        let parts = arn.split(separator: ":", omittingEmptySubsequences: false)
        return parts.count > 3 ? String(parts[3]) : nil
    }

    /// The cluster's name without the rest of an ARN.
    var clusterName: String { String(cluster.split(separator: "/").last ?? "default") }

    /// The ARN of the cluster that a task's ARN names. Older ARNs do not name it.
    private static func cluster(of arn: String) -> String {
        let parts = arn.split(separator: "/")
        guard parts.count == 3, parts[0].hasSuffix(":task") else { return "default" }
        return "\(parts[0].dropLast("task".count))cluster/\(parts[1])"
    }
}
