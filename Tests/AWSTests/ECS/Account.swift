import BackendKit
import BackendKitTesting
import Foundation
import JobTemplates
import OrderedCollections
import PrefectClient
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@testable import AWSAccess
@testable import ECSBackend

/// A small account of AWS for tests of the backend: its definitions, its tasks and faults on demand.
final class Account: Sendable {
    struct State: Sendable {
        var definitions: [JSONValue] = []
        var tasks: [JSONValue] = []
        /// The answers to the next requests of an operation; `nil` for the usual one.
        var faults: [String: [FakeAWS.Answer?]] = [:]
        var messages: [JSONValue] = []
        var deleted: [JSONValue] = []
        var logs: [JSONValue] = []
    }

    let state = Mutex(State())

    func fail(_ operation: String, _ answers: FakeAWS.Answer?...) {
        state.withLock { $0.faults[operation, default: []] += answers }
    }

    /// Changes the newest task.
    func changeTask(_ changes: JSONValue) {
        state.withLock { state in
            guard let last = state.tasks.indices.last else { return }
            for (key, value) in changes.objectValue ?? [:] { state.tasks[last][key] = value }
        }
    }

    func answer(_ call: FakeAWS.Call) -> FakeAWS.Answer {
        let fault = state.withLock { state -> FakeAWS.Answer?? in
            state.faults[call.operation]?.isEmpty == false ? state.faults[call.operation]?.removeFirst() : nil
        }
        guard let fault = fault ?? nil else { return usual(call) }
        // The request is carried out although its answer is lost.
        if case .lost = fault { _ = usual(call) }
        return fault
    }

    private func usual(_ call: FakeAWS.Call) -> FakeAWS.Answer {
        let parameters = call.parameters
        return state.withLock { state in
            switch call.operation {
            case "DescribeVpcs": return .text("<R><vpcSet><item><vpcId>vpc-1</vpcId></item></vpcSet></R>")
            case "DescribeSubnets":
                let isSecond = parameters["NextToken"] == "2"
                return .text(
                    "<R><subnetSet><item><subnetId>subnet-\(isSecond ? 2 : 1)</subnetId></item></subnetSet>"
                        + (isSecond ? "" : "<nextToken>2</nextToken>") + "</R>")
            case "DescribeTaskDefinition":
                let name = parameters["taskDefinition"]
                let found = state.definitions.last { $0["taskDefinitionArn"] == name || $0["family"] == name }
                return found.map { .json(["taskDefinition": $0]) }
                    ?? .refusal("ClientException", "Unable to describe task definition.")
            case "RegisterTaskDefinition":
                var definition = parameters
                let family = parameters["family"]?.stringValue ?? ""
                let revision = 1 + state.definitions.count { $0["family"] == parameters["family"] }
                definition["taskDefinitionArn"] = .string("arn:aws:ecs:r1:1:task-definition/\(family):\(revision)")
                definition["status"] = "ACTIVE"
                // AWS adds what it likes.
                definition["volumes"] = []
                definition["futureDefault"] = "x"
                state.definitions.append(definition)
                return .json(["taskDefinition": definition])
            case "DeregisterTaskDefinition":
                for index in state.definitions.indices
                where state.definitions[index]["taskDefinitionArn"] == parameters["taskDefinition"] {
                    state.definitions[index]["status"] = "INACTIVE"
                }
                return .json([:])
            case "RunTask":
                if let known = state.tasks.first(where: { $0["clientToken"] == parameters["clientToken"] }) {
                    return .json(["tasks": [known], "failures": []])
                }
                var task = parameters
                task["taskArn"] = .string("arn:aws:ecs:r1:1:task/default/\(state.tasks.count)")
                task["clusterArn"] = "arn:aws:ecs:r1:1:cluster/default"
                task["taskDefinitionArn"] = parameters["taskDefinition"]
                task["lastStatus"] = "PROVISIONING"
                task["createdAt"] = 1_700_000_000.5
                task["containers"] = [["name": "prefect"]]
                state.tasks.append(task)
                return .json(["tasks": [task], "failures": []])
            case "DescribeTasks":
                let wanted = parameters["tasks"]?.arrayValue ?? []
                return .json(["tasks": .array(state.tasks.filter { wanted.contains($0["taskArn"] ?? .null) })])
            case "ListTasks":
                let isStopped = parameters["desiredStatus"] == "STOPPED"
                let found = state.tasks.filter { task in
                    (task["lastStatus"] == "STOPPED") == isStopped
                        && (parameters["startedBy"] == nil || task["startedBy"] == parameters["startedBy"])
                }
                return .json(["taskArns": .array(found.compactMap { $0["taskArn"] })])
            case "StopTask":
                guard let index = state.tasks.firstIndex(where: { $0["taskArn"] == parameters["task"] }) else {
                    return .refusal("InvalidParameterException", "The referenced task was not found.")
                }
                state.tasks[index]["lastStatus"] = "STOPPED"
                return .json([:])
            case "GetQueueUrl": return .json(["QueueUrl": "http://queue"])
            case "ReceiveMessage":
                defer { state.messages = [] }
                return .json(["Messages": .array(state.messages)])
            case "DeleteMessageBatch":
                state.deleted += parameters["Entries"]?.arrayValue ?? []
                return .json([:])
            case "GetLogEvents": return .json(["events": .array(state.logs)])
            default: return .refusal("UnknownOperation", call.operation)
            }
        }
    }
}

/// The backend's service with an account.
struct ECSBench: Sendable {
    let account: Account
    let server: FakeAWS
    let service: ECSService
    let log = CapturedLog()

    init(
        _ account: Account = Account(), stateDirectory: String? = nil, environment: [String: String] = [:],
        freshness: Duration = .seconds(60)
    ) throws {
        self.account = account
        server = try FakeAWS { account.answer($0) }
        let usual = [
            "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s", "AWS_DEFAULT_REGION": "r1", "NO_PROXY": "*",
            "PREFECT_INTEGRATIONS_AWS_ECS_WORKER_CREATE_TASK_RUN_MIN_DELAY_SECONDS": "0",
            "PREFECT_INTEGRATIONS_AWS_ECS_WORKER_CREATE_TASK_RUN_MAX_DELAY_JITTER_SECONDS": "0",
            "PREFECT_INTEGRATIONS_AWS_ECS_WORKER_REGISTER_TASK_DEFINITION_INITIAL_DELAY_SECONDS": "0",
        ]
        service = try ECSService(
            host: BackendHost(environment: usual.merging(environment) { $1 }, stateDirectory: stateDirectory),
            endpoint: server.url, freshness: freshness)
    }

    /// A job configuration from the default template.
    static func rendered(_ variables: JSONValue = [:]) async throws -> JSONValue {
        try await JobRenderer(
            template: ECSBackend.traits.baseJobTemplate, environment: [:], references: NoReferences()
        ).render(jobVariables: variables)
    }

    func specification(_ variables: JSONValue = [:], deployment: String = "d1") async throws -> ECSSpecification {
        try service.specification(
            rendered: await Self.rendered(variables), for: Self.run(),
            preparing: PreparationContext(
                flowRun: ["id": "run-1", "name": "otter", "flow_id": "f1", "deployment_id": .string(deployment)],
                flow: ["id": "f1", "name": "flow"], workPool: .init(id: "p", name: "pool")))
    }

    func client(_ specification: ECSSpecification) throws -> ECSClient { try service.client(at: specification.place) }

    static func key(_ claim: String = "c1") -> RemoteTaskKey {
        RemoteTaskKey(flowRunID: "run-1", claimID: claim, owner: "owner-1")
    }

    static func run(_ reporter: any JobReporter = SilentReporter()) -> RunContext {
        RunContext(flowRunID: "run-1", flowRunName: "otter", claimID: "c1", deploymentID: nil, reporter: reporter)
    }

    /// The message with which a job is refused.
    func refusal(_ variables: JSONValue) async -> String {
        do {
            _ = try await specification(variables)
            return ""
        } catch {
            return "\(error)"
        }
    }
}

/// Names that a callback has received.
final class Names: Sendable {
    private let names = Mutex<[String]>([])

    var all: [String] { names.withLock { $0 } }

    func add(_ name: String) { names.withLock { $0.append(name) } }
}

private struct NoReferences: TemplateReferences {
    func blockDocument(id: String) throws -> JSONValue { .null }
    func blockDocument(typeSlug: String, name: String) throws -> JSONValue { .null }
    func variable(named name: String) -> JSONValue? { nil }
}
