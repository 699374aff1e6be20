internal import BackendKit
internal import PrefectJSON

/// An event of Kubernetes about an object, reduced to the fields that people can use.
struct EventFact: Sendable, Hashable {
    let reason: String
    let message: String
    let isWarning: Bool
    /// The time of the latest record, as text that sorts by time.
    let time: String

    init?(_ json: JSONValue) {
        guard let reason = json["reason"]?.stringValue else { return nil }
        self.reason = reason
        message = json["message"]?.stringValue ?? ""
        isWarning = json["type"] == "Warning"
        time =
            json["lastTimestamp"]?.stringValue ?? json["eventTime"]?.stringValue
            ?? json["metadata"]?["creationTimestamp"]?.stringValue ?? ""
    }
}

extension Diagnosis {
    /// Finds in the events of a job or of its pod the reason why nothing begins. The newest event that explains it
    /// counts.
    init?(events: [EventFact]) {
        for event in events.sorted(by: { $0.time > $1.time }) where event.isWarning {
            let text = event.message.lowercased()
            switch event.reason {
            case "FailedCreate" where text.contains("quota"):
                self.init(
                    "The job's pod exceeds a quota of the namespace", event,
                    "Lower the requests and limits, or raise the quota")
            case "FailedCreate" where text.contains("serviceaccount") || text.contains("service account"):
                self.init(
                    "The job's service account does not exist", event,
                    "Create it in the namespace, or correct 'service_account_name'")
            case "FailedCreate" where text.contains("forbidden"):
                self.init(
                    "The job's pod is not allowed", event,
                    "Change the job manifest so that the cluster's policy allows it")
            case "FailedCreate":
                self.init("The job's pod cannot be created", event, "Correct the job manifest")
            case "FailedMount", "FailedAttachVolume":
                self.init(
                    "A volume of the pod cannot be mounted", event, "Check that the volume, secret or config map exists"
                )
            case "FailedCreatePodSandBox":
                self.init(
                    "The node cannot set the pod up", event, "Look at the node's network plug-in and container runtime")
            case "FailedScheduling":
                self.init("No node can run the pod", event, "Lower the requests, or add a node that fits")
            default: continue
            }
            return
        }
        return nil
    }

    private init(_ summary: String, _ event: EventFact, _ remedy: String) {
        self.init(category: nil, level: .warning, summary: summary, detail: event.message, remedy: remedy)
    }
}
