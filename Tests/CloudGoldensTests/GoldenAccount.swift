import OrderedCollections
import PrefectJSON
import Synchronization
import TestSupport

/// The account that an ECS case describes.
final class GoldenAccount: Sendable {
    private let account: JSONValue
    private let definitions: Mutex<[JSONValue]>
    private let usesOnce: Bool

    init(_ account: JSONValue) {
        self.account = account
        definitions = Mutex(account["task_definitions"]?.arrayValue ?? [])
        usesOnce = account["inactive_after_run"] == true
    }

    func answer(_ call: FakeAWS.Call) -> FakeAWS.Answer {
        switch call.operation {
        case "AssumeRole":
            .text(
                """
                <AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId>\
                <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
                <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>
                """)
        case "DescribeVpcs":
            .text(
                list("vpcSet", "vpcId", account["vpcs"], "VpcId") { vpc in
                    guard let ids = call.parameters["VpcIds"]?.arrayValue else { return vpc["IsDefault"] == true }
                    return vpc["VpcId"].map { ids.contains($0) } ?? false
                })
        case "DescribeSubnets":
            .text(
                list("subnetSet", "subnetId", account["subnets"], "SubnetId") { subnet in
                    subnet["VpcId"] == call.parameters["Filters"]?[0]?["Values"]?[0]
                })
        case "DescribeTaskDefinition": describe(call.parameters["taskDefinition"]?.stringValue ?? "")
        case "RegisterTaskDefinition": register(call.parameters)
        case "RunTask": run(call.parameters)
        default: .refusal("UnknownOperation", "the account has no \(call.operation)")
        }
    }

    private func list(
        _ set: String, _ name: String, _ objects: JSONValue?, _ key: String, _ isWanted: (JSONValue) -> Bool
    ) -> String {
        let items = (objects?.arrayValue ?? []).filter(isWanted).compactMap { $0[key]?.stringValue }
        return "<Response><\(set)>\(items.map { "<item><\(name)>\($0)</\(name)></item>" }.joined())</\(set)></Response>"
    }

    private func describe(_ name: String) -> FakeAWS.Answer {
        let found = definitions.withLock { definitions in
            definitions.last { $0["taskDefinitionArn"]?.stringValue == name }
                ?? definitions.last { $0["family"]?.stringValue == name && $0["status"] == "ACTIVE" }
        }
        guard let found else { return .refusal("ClientException", "Unable to describe task definition.") }
        return .json(["taskDefinition": found])
    }

    private func register(_ definition: JSONValue) -> FakeAWS.Answer {
        let registered = definitions.withLock { definitions in
            let family = definition["family"]?.stringValue ?? ""
            let revision = 1 + definitions.count { $0["family"]?.stringValue == family }
            var registered = definition
            registered["taskDefinitionArn"] = .string(
                "arn:aws:ecs:us-east-1:123456789012:task-definition/\(family):\(revision)")
            registered["revision"] = .int(revision)
            registered["status"] = "ACTIVE"
            definitions.append(registered)
            return registered
        }
        return .json(["taskDefinition": registered])
    }

    private func run(_ request: JSONValue) -> FakeAWS.Answer {
        if usesOnce {
            definitions.withLock { definitions in
                for index in definitions.indices { definitions[index]["status"] = "INACTIVE" }
            }
        }
        let cluster = request["cluster"]?.stringValue?.split(separator: "/").last ?? "default"
        let account = "arn:aws:ecs:us-east-1:123456789012"
        let task = "\(account):task/\(cluster)/\(String(repeating: "0", count: 32))"
        return .json([
            "failures": [],
            "tasks": [["taskArn": .string(task), "clusterArn": .string("\(account):cluster/\(cluster)")]],
        ])
    }
}
