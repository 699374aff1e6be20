internal import BackendKit
internal import GoogleAccess
internal import OrderedCollections

/// A job as either version of the API describes it.
struct JobState: Sendable, Hashable {
    /// Whether a job can be run.
    enum Readiness: Sendable, Hashable {
        case waiting
        case ready
        case failed(reason: String, message: String)
    }

    let name: String
    let labels: [String: String]
    let created: Timestamp?
    let readiness: Readiness
    /// The name of the newest execution.
    let execution: String?
    /// Whether the newest execution has ended.
    let hasEnded: Bool
    /// The state of the newest execution, such as `EXECUTION_PENDING`.
    let executionStatus: String?

    init?(_ json: JSONValue, _ version: CloudRunVersion) {
        let metadata = version == .v1 ? json["metadata"] ?? .null : json
        guard let name = metadata["name"]?.stringValue.map(Self.last), !name.isEmpty else { return nil }
        self.name = name
        labels = Dictionary(
            (metadata["labels"]?.objectValue ?? [:]).compactMap { entry in
                entry.value.stringValue.map { (entry.key, $0) }
            }, uniquingKeysWith: { $1 })
        created = (metadata["creationTimestamp"] ?? metadata["createTime"])?.stringValue.flatMap { Timestamp($0) }
        let latest = (version == .v1 ? json["status"] : json)?["latestCreatedExecution"] ?? .null
        execution = latest["name"]?.stringValue.map(Self.last).flatMap { $0.isEmpty ? nil : $0 }
        hasEnded = !(latest["completionTimestamp"] ?? latest["completionTime"] ?? .null).isNull
        executionStatus = latest["completionStatus"]?.stringValue
        switch version {
        case .v1:
            let condition =
                (json["status"]?["conditions"]?.arrayValue ?? []).first { $0["type"] == "Ready" } ?? .null
            readiness = Self.readiness(condition, condition["status"]?.stringValue, good: "True", bad: "False")
        case .v2:
            let condition = json["terminalCondition"] ?? .null
            readiness = Self.readiness(
                condition, condition["state"]?.stringValue, good: "CONDITION_SUCCEEDED", bad: "CONDITION_FAILED")
        }
    }

    private static func readiness(
        _ condition: JSONValue, _ state: String?, good: String, bad: String
    ) -> Readiness {
        switch state {
        case good: .ready
        case bad:
            .failed(
                reason: condition["reason"]?.stringValue ?? "", message: condition["message"]?.stringValue ?? "")
        default: .waiting
        }
    }

    /// The last part of a resource's name.
    static func last(_ name: String) -> String { name.split(separator: "/").last.map(String.init) ?? "" }

    /// Whether the job was created for a claim.
    func belongs(toClaim claim: String) -> Bool { labels[GoogleLabels.claim] == GoogleLabels.value(claim) }
}

/// An execution of a job as either version of the API describes it.
struct ExecutionState: Sendable, Hashable {
    let hasEnded: Bool
    let hasSucceeded: Bool
    let message: String
    let reason: String

    init(_ json: JSONValue, _ version: CloudRunVersion) {
        let status = version == .v1 ? json["status"] ?? .null : json
        let condition = (status["conditions"]?.arrayValue ?? []).first { $0["type"] == "Completed" } ?? .null
        hasEnded = !(status["completionTime"] ?? .null).isNull
        hasSucceeded =
            version == .v1
            ? condition["status"]?.stringValue == "True" : condition["state"]?.stringValue == "CONDITION_SUCCEEDED"
        message = condition["message"]?.stringValue ?? ""
        reason = (condition["reason"] ?? condition["executionReason"])?.stringValue ?? ""
    }

    /// How the execution ended.
    ///
    /// - Parameter code: The exit code of its task, where the service states it.
    func exit(code: Int?) -> ExitStatus {
        if hasSucceeded { return ExitStatus(code: 0) }
        let text = message.isEmpty ? "The execution failed" : message
        let lower = text.lowercased()
        if lower.contains("memory limit") || lower.contains("out-of-memory") || lower.contains("out of memory") {
            return ExitStatus(code: code ?? 137, reason: "\(text) Raise the job variable 'memory'.")
        }
        if lower.contains("timeout was reached") {
            return ExitStatus(code: code ?? 1, reason: "\(text) Raise the job variable 'timeout'.")
        }
        return ExitStatus(code: code ?? 1, reason: text)
    }

    /// The exit code in the tasks of an execution; a signal counts 128 more, as in a shell.
    static func code(inTasks json: JSONValue, _ version: CloudRunVersion) -> Int? {
        for task in (version == .v1 ? json["items"] : json["tasks"])?.arrayValue ?? [] {
            let result = (version == .v1 ? task["status"] : task)?["lastAttemptResult"] ?? .null
            if let code = result["exitCode"]?.intValue, code != 0 { return code }
            if let signal = result["termSignal"]?.intValue, (1...64).contains(signal) { return 128 + signal }
        }
        return nil
    }
}
