internal import PrefectJSON

/// A change of a task's status.
struct TaskEvent: Sendable, Hashable {
    let arn: String
    let status: String
    /// EventBridge's id of the event; `nil` for a change that a description showed.
    var id: String?
    /// When the change happened.
    var occurred: Timestamp?

    init(arn: String, status: String) {
        self.arn = arn
        self.status = status
    }

    /// Reads an event of EventBridge; `nil` for other ones.
    init?(_ json: JSONValue) {
        guard json["detail-type"] == "ECS Task State Change", let arn = json["detail"]?["taskArn"]?.stringValue,
            let status = json["detail"]?["lastStatus"]?.stringValue
        else { return nil }
        self.arn = arn
        self.status = status
        id = json["id"]?.stringValue
        occurred = json["time"]?.stringValue.flatMap { Timestamp($0) }
    }
}
