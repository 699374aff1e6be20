// Tests/Schema/generate.py makes this file.
public import FoundationEssentials
public import OrderedCollections
public import PrefectJSON

/// Do nothing when an Automation is triggered.
public struct DoNothingAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout DoNothingAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "do-nothing"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

}

/// Runs the given deployment with the given parameters.
public struct RunDeploymentAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout RunDeploymentAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "run-deployment"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `source`.
    public var source: RunDeploymentSource? {
        get { optional("source") }
        set { assign("source", newValue) }
    }

    /// The identifier of the deployment.
    public var deploymentID: UUID? {
        get { optional("deployment_id") }
        set { assign("deployment_id", newValue) }
    }

    /// The parameters to pass to the deployment, or None to use the deployment's default parameters.
    public var parameters: JSONObject? {
        get { optional("parameters") }
        set { assign("parameters", newValue) }
    }

    /// The job variables to pass to the created flow run, or None to use the deployment's default job variables.
    public var jobVariables: JSONObject? {
        get { optional("job_variables") }
        set { assign("job_variables", newValue) }
    }

    /// The amount of time to wait before running the deployment.
    public var scheduleAfter: Duration? {
        get { optional("schedule_after") }
        set { assign("schedule_after", newValue) }
    }
}

/// Pauses the given Deployment.
public struct PauseDeploymentAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout PauseDeploymentAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "pause-deployment"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `source`.
    public var source: String? {
        get { optional("source") }
        set { assign("source", newValue) }
    }

    /// The identifier of the deployment.
    public var deploymentID: UUID? {
        get { optional("deployment_id") }
        set { assign("deployment_id", newValue) }
    }
}

/// Resumes the given Deployment.
public struct ResumeDeploymentAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout ResumeDeploymentAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "resume-deployment"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `source`.
    public var source: String? {
        get { optional("source") }
        set { assign("source", newValue) }
    }

    /// The identifier of the deployment.
    public var deploymentID: UUID? {
        get { optional("deployment_id") }
        set { assign("deployment_id", newValue) }
    }
}

/// Resumes a paused or suspended flow run associated with the trigger.
public struct ResumeFlowRunAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout ResumeFlowRunAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "resume-flow-run"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

}

/// Cancels a flow run associated with the trigger.
public struct CancelFlowRunAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout CancelFlowRunAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "cancel-flow-run"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

}

/// Deletes a flow run associated with the trigger.
public struct DeleteFlowRunAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout DeleteFlowRunAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "delete-flow-run"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

}

/// Changes the state of a flow run associated with the trigger.
public struct ChangeFlowRunStateAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(state: StateType, _ configure: (inout ChangeFlowRunStateAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "change-flow-run-state"
        assign("state", state)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("state", StateType.self, in: members)
    }

    /// The name of the state to change the flow run to.
    public var name: String? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// The type of the state to change the flow run to.
    public var state: StateType {
        get { required("state") }
        set { assign("state", newValue) }
    }

    /// An optional message to associate with the state change.
    public var message: String? {
        get { optional("message") }
        set { assign("message", newValue) }
    }

    /// Force the state change even if the transition is not allowed.
    public var force: Bool? {
        get { optional("force") }
        set { assign("force", newValue) }
    }
}

/// Pauses a Work Queue.
public struct PauseWorkQueueAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout PauseWorkQueueAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "pause-work-queue"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `source`.
    public var source: String? {
        get { optional("source") }
        set { assign("source", newValue) }
    }

    /// The identifier of the work queue to pause.
    public var workQueueID: UUID? {
        get { optional("work_queue_id") }
        set { assign("work_queue_id", newValue) }
    }
}

/// Resumes a Work Queue.
public struct ResumeWorkQueueAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout ResumeWorkQueueAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "resume-work-queue"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `source`.
    public var source: String? {
        get { optional("source") }
        set { assign("source", newValue) }
    }

    /// The identifier of the work queue to pause.
    public var workQueueID: UUID? {
        get { optional("work_queue_id") }
        set { assign("work_queue_id", newValue) }
    }
}

/// Send a notification when an Automation is triggered.
public struct SendNotificationAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(blockDocumentID: UUID, body: String, _ configure: (inout SendNotificationAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "send-notification"
        assign("block_document_id", blockDocumentID)
        assign("body", body)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("block_document_id", UUID.self, in: members)
        try require("body", String.self, in: members)
    }

    /// The identifier of the notification block to use.
    public var blockDocumentID: UUID {
        get { required("block_document_id") }
        set { assign("block_document_id", newValue) }
    }

    /// The member `subject`.
    public var subject: String? {
        get { optional("subject") }
        set { assign("subject", newValue) }
    }

    /// The text of the notification to send.
    public var body: String {
        get { required("body") }
        set { assign("body", newValue) }
    }
}

/// Call a webhook when an Automation is triggered.
public struct CallWebhookAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(blockDocumentID: UUID, _ configure: (inout CallWebhookAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "call-webhook"
        assign("block_document_id", blockDocumentID)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("block_document_id", UUID.self, in: members)
    }

    /// The identifier of the webhook block to use.
    public var blockDocumentID: UUID {
        get { required("block_document_id") }
        set { assign("block_document_id", newValue) }
    }

    /// An optional templatable payload to send when calling the webhook.
    public var payload: String? {
        get { optional("payload") }
        set { assign("payload", newValue) }
    }
}

/// Pauses a Work Queue.
public struct PauseAutomationAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout PauseAutomationAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "pause-automation"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `source`.
    public var source: String? {
        get { optional("source") }
        set { assign("source", newValue) }
    }

    /// The identifier of the automation to act on.
    public var automationID: UUID? {
        get { optional("automation_id") }
        set { assign("automation_id", newValue) }
    }
}

/// Resumes a Work Queue.
public struct ResumeAutomationAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout ResumeAutomationAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "resume-automation"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `source`.
    public var source: String? {
        get { optional("source") }
        set { assign("source", newValue) }
    }

    /// The identifier of the automation to act on.
    public var automationID: UUID? {
        get { optional("automation_id") }
        set { assign("automation_id", newValue) }
    }
}

/// Suspends a flow run associated with the trigger.
public struct SuspendFlowRunAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout SuspendFlowRunAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "suspend-flow-run"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

}

/// Pauses a Work Pool.
public struct PauseWorkPoolAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout PauseWorkPoolAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "pause-work-pool"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `source`.
    public var source: String? {
        get { optional("source") }
        set { assign("source", newValue) }
    }

    /// The identifier of the work pool to pause.
    public var workPoolID: UUID? {
        get { optional("work_pool_id") }
        set { assign("work_pool_id", newValue) }
    }
}

/// Resumes a Work Pool.
public struct ResumeWorkPoolAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout ResumeWorkPoolAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "resume-work-pool"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `source`.
    public var source: String? {
        get { optional("source") }
        set { assign("source", newValue) }
    }

    /// The identifier of the work pool to pause.
    public var workPoolID: UUID? {
        get { optional("work_pool_id") }
        set { assign("work_pool_id", newValue) }
    }
}

/// The API's `DeclareIncident`.
public struct DeclareIncidentAction: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout DeclareIncidentAction) -> Void = { _ in }) {
        members = [:]
        members["type"] = "declare-incident"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

}

/// Something that an automation does.
public enum AutomationAction: JSONConvertible {
    /// The case that the API's `type` `do-nothing` marks.
    case doNothing(DoNothingAction)
    /// The case that the API's `type` `run-deployment` marks.
    case runDeployment(RunDeploymentAction)
    /// The case that the API's `type` `pause-deployment` marks.
    case pauseDeployment(PauseDeploymentAction)
    /// The case that the API's `type` `resume-deployment` marks.
    case resumeDeployment(ResumeDeploymentAction)
    /// The case that the API's `type` `resume-flow-run` marks.
    case resumeFlowRun(ResumeFlowRunAction)
    /// The case that the API's `type` `cancel-flow-run` marks.
    case cancelFlowRun(CancelFlowRunAction)
    /// The case that the API's `type` `delete-flow-run` marks.
    case deleteFlowRun(DeleteFlowRunAction)
    /// The case that the API's `type` `change-flow-run-state` marks.
    case changeFlowRunState(ChangeFlowRunStateAction)
    /// The case that the API's `type` `pause-work-queue` marks.
    case pauseWorkQueue(PauseWorkQueueAction)
    /// The case that the API's `type` `resume-work-queue` marks.
    case resumeWorkQueue(ResumeWorkQueueAction)
    /// The case that the API's `type` `send-notification` marks.
    case sendNotification(SendNotificationAction)
    /// The case that the API's `type` `call-webhook` marks.
    case callWebhook(CallWebhookAction)
    /// The case that the API's `type` `pause-automation` marks.
    case pauseAutomation(PauseAutomationAction)
    /// The case that the API's `type` `resume-automation` marks.
    case resumeAutomation(ResumeAutomationAction)
    /// The case that the API's `type` `suspend-flow-run` marks.
    case suspendFlowRun(SuspendFlowRunAction)
    /// The case that the API's `type` `pause-work-pool` marks.
    case pauseWorkPool(PauseWorkPoolAction)
    /// The case that the API's `type` `resume-work-pool` marks.
    case resumeWorkPool(ResumeWorkPoolAction)
    /// The case that the API's `type` `declare-incident` marks.
    case declareIncident(DeclareIncidentAction)
    /// A value that this version does not know, as it is.
    case unknown(JSONValue)

    /// Reads a value. An unknown one is kept as it is.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        switch jsonValue["type"]?.stringValue {
        case "do-nothing": self = .doNothing(try DoNothingAction(jsonValue: jsonValue))
        case "run-deployment": self = .runDeployment(try RunDeploymentAction(jsonValue: jsonValue))
        case "pause-deployment": self = .pauseDeployment(try PauseDeploymentAction(jsonValue: jsonValue))
        case "resume-deployment": self = .resumeDeployment(try ResumeDeploymentAction(jsonValue: jsonValue))
        case "resume-flow-run": self = .resumeFlowRun(try ResumeFlowRunAction(jsonValue: jsonValue))
        case "cancel-flow-run": self = .cancelFlowRun(try CancelFlowRunAction(jsonValue: jsonValue))
        case "delete-flow-run": self = .deleteFlowRun(try DeleteFlowRunAction(jsonValue: jsonValue))
        case "change-flow-run-state": self = .changeFlowRunState(try ChangeFlowRunStateAction(jsonValue: jsonValue))
        case "pause-work-queue": self = .pauseWorkQueue(try PauseWorkQueueAction(jsonValue: jsonValue))
        case "resume-work-queue": self = .resumeWorkQueue(try ResumeWorkQueueAction(jsonValue: jsonValue))
        case "send-notification": self = .sendNotification(try SendNotificationAction(jsonValue: jsonValue))
        case "call-webhook": self = .callWebhook(try CallWebhookAction(jsonValue: jsonValue))
        case "pause-automation": self = .pauseAutomation(try PauseAutomationAction(jsonValue: jsonValue))
        case "resume-automation": self = .resumeAutomation(try ResumeAutomationAction(jsonValue: jsonValue))
        case "suspend-flow-run": self = .suspendFlowRun(try SuspendFlowRunAction(jsonValue: jsonValue))
        case "pause-work-pool": self = .pauseWorkPool(try PauseWorkPoolAction(jsonValue: jsonValue))
        case "resume-work-pool": self = .resumeWorkPool(try ResumeWorkPoolAction(jsonValue: jsonValue))
        case "declare-incident": self = .declareIncident(try DeclareIncidentAction(jsonValue: jsonValue))
        default: self = .unknown(jsonValue)
        }
    }

    /// The value as JSON.
    public var jsonValue: JSONValue {
        switch self {
        case .doNothing(let value): value.jsonValue
        case .runDeployment(let value): value.jsonValue
        case .pauseDeployment(let value): value.jsonValue
        case .resumeDeployment(let value): value.jsonValue
        case .resumeFlowRun(let value): value.jsonValue
        case .cancelFlowRun(let value): value.jsonValue
        case .deleteFlowRun(let value): value.jsonValue
        case .changeFlowRunState(let value): value.jsonValue
        case .pauseWorkQueue(let value): value.jsonValue
        case .resumeWorkQueue(let value): value.jsonValue
        case .sendNotification(let value): value.jsonValue
        case .callWebhook(let value): value.jsonValue
        case .pauseAutomation(let value): value.jsonValue
        case .resumeAutomation(let value): value.jsonValue
        case .suspendFlowRun(let value): value.jsonValue
        case .pauseWorkPool(let value): value.jsonValue
        case .resumeWorkPool(let value): value.jsonValue
        case .declareIncident(let value): value.jsonValue
        case .unknown(let value): value
        }
    }

    /// An unknown value.
    public static var jsonPlaceholder: AutomationAction { .unknown(.null) }
}
