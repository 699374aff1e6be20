internal import PrefectJSON

/// The parts of a Kubernetes job that the worker needs, at one moment. The rest of the object is discarded as it is
/// read.
struct JobSnapshot: Sendable, Hashable {
    let namespace: String
    let name: String
    let uid: String
    /// The flow run that the job's label names.
    let flowRunID: String?
    /// How the job ended, once it has ended.
    let ending: Ending?
    /// When the job failed, if it has failed.
    let failed: Timestamp?
    /// Whether the deletion of the job has been requested.
    let isDeleting: Bool
    /// Whether the job is suspended, by its owner or a queueing controller.
    let isSuspended: Bool

    /// The location of the job.
    var place: JobReference { JobReference(namespace: namespace, name: name, uid: uid, server: nil) }

    /// How a job ended.
    enum Ending: Sendable, Hashable {
        case complete
        case failed(reason: String, message: String)
    }

    /// Reads a job of the API; the result is `nil` for an object that is not a job.
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

/// The labels that identify objects as Prefect's.
enum Labels {
    static let flowRunID = "prefect.io/flow-run-id"
    static let managedBy = "app.kubernetes.io/managed-by"
}
