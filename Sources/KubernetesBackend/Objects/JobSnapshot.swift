internal import JSON

/// What the worker needs of a Kubernetes job at one moment; everything else of the object is let go as it is read.
struct JobSnapshot: Sendable, Hashable {
    let namespace: String
    let name: String
    let uid: String
    /// The flow run that it is labelled with.
    let flowRunID: String?
    /// How it ended, when it has.
    let ending: Ending?
    /// When it failed, when it has.
    let failed: Timestamp?
    /// Whether somebody has asked for its deletion.
    let isDeleting: Bool
    /// Whether it is suspended, by its owner or a queueing controller.
    let isSuspended: Bool
    let created: Timestamp?

    /// Where it is.
    var place: JobPlace { JobPlace(namespace: namespace, name: name, uid: uid, server: nil) }

    /// How a job ended.
    enum Ending: Sendable, Hashable {
        case complete
        case failed(reason: String, message: String)
    }

    /// Reads a job of the API; `nil` for what is none.
    init?(_ json: JSONValue) {
        let metadata = json["metadata"]
        guard let name = metadata?["name"]?.stringValue, let namespace = metadata?["namespace"]?.stringValue,
            let uid = metadata?["uid"]?.stringValue
        else { return nil }
        self.name = name
        self.namespace = namespace
        self.uid = uid
        flowRunID = metadata?["labels"]?[Labels.flowRunID]?.stringValue
        isDeleting = metadata?["deletionTimestamp"]?.isNull == false
        isSuspended = json["spec"]?["suspend"] == true
        created = metadata?["creationTimestamp"]?.stringValue.flatMap { Timestamp($0) }
        ending = Self.ending(json["status"] ?? [:])
        failed = (json["status"]?["conditions"]?.arrayValue ?? [])
            .first { $0["type"] == "Failed" && $0["status"] == "True" }?["lastTransitionTime"]?.stringValue
            .flatMap { Timestamp($0) }
    }

    private static func ending(_ status: JSONValue) -> Ending? {
        for condition in status["conditions"]?.arrayValue ?? [] where condition["status"] == "True" {
            switch condition["type"]?.stringValue {
            case "Complete": return .complete
            case "Failed":
                return .failed(
                    reason: condition["reason"]?.stringValue ?? "", message: condition["message"]?.stringValue ?? "")
            default: break
            }
        }
        return nil
    }
}

/// The labels by which objects are known to be Prefect's.
enum Labels {
    static let flowRunID = "prefect.io/flow-run-id"
    static let managedBy = "app.kubernetes.io/managed-by"
}
