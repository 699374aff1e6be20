import BackendKit
import Foundation
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@testable import ECSBackend

@Suite("The creation of ECS tasks")
struct CreationTests {
    private func withDirectory(_ body: (String) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "ecs-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await body(directory)
    }

    @Test("many runs of a deployment at once register its definition once")
    func race() async throws {
        let bench = try ECSBench()
        let specification = try await bench.specification()
        let client = try bench.client(specification)
        try await withThrowingTaskGroup(of: String.self) { group in
            for number in 0..<30 {
                group.addTask { try await client.create(specification, for: ECSBench.key("c\(number)")) }
            }
            var tasks: Set<String> = []
            for try await task in group { tasks.insert(task) }
            #expect(tasks.count == 30)
        }
        #expect(bench.server.operations.count { $0 == "RegisterTaskDefinition" } == 1)
        #expect(bench.server.operations.count { $0 == "DescribeSubnets" } == 2)
        let subnets = bench.server.calls.last { $0.operation == "RunTask" }?
            .parameters["networkConfiguration"]?["awsvpcConfiguration"]?["subnets"]
        #expect(subnets == ["subnet-1", "subnet-2"])
    }

    @Test("deployments of one family that differ have definitions of their own")
    func family() async throws {
        let bench = try ECSBench()
        let one = try await bench.specification(["family": "shared", "image": "a"], deployment: "d1")
        let other = try await bench.specification(["family": "shared", "image": "b"], deployment: "d2")
        let client = try bench.client(one)
        async let first = client.create(one, for: ECSBench.key("c1"))
        async let second = client.create(other, for: ECSBench.key("c2"))
        _ = try await (first, second)
        let images = bench.account.state.withLock { state in
            state.tasks.map { task in
                state.definitions.first { $0["taskDefinitionArn"] == task["taskDefinition"] }?["containerDefinitions"]?[
                    0]?[
                        "image"]
            }
        }
        #expect(Set(images) == ["a", "b"])
    }

    @Test("a later process uses the definition that was registered, although AWS has added fields to it")
    func memory() async throws {
        try await withDirectory { directory in
            let account = Account()
            for _ in 0..<2 {
                let bench = try ECSBench(account, stateDirectory: directory)
                let specification = try await bench.specification()
                _ = try await bench.client(specification).create(specification, for: ECSBench.key(UUID().uuidString))
            }
            #expect(account.state.withLock { $0.definitions.count } == 1)
            // An inactive definition is not used.
            account.state.withLock { $0.definitions[0]["status"] = "INACTIVE" }
            let bench = try ECSBench(account, stateDirectory: directory)
            let specification = try await bench.specification()
            _ = try await bench.client(specification).create(specification, for: ECSBench.key("c9"))
            #expect(account.state.withLock { $0.definitions.count } == 2)
        }
    }

    @Test("registrations that overlap are repeated, and so is a run with a definition that went out of use")
    func conflicts() async throws {
        let bench = try ECSBench()
        let text = "Too many concurrent attempts to create a new revision of the specified family."
        bench.account.fail("RegisterTaskDefinition", .refusal("ClientException", text))
        bench.account.fail("RunTask", .refusal("ClientException", "TaskDefinition is inactive"))
        let specification = try await bench.specification()
        _ = try await bench.client(specification).create(specification, for: ECSBench.key())
        #expect(bench.server.operations.count { $0 == "RegisterTaskDefinition" } >= 2)
        #expect(bench.account.state.withLock { $0.tasks.count } == 1)
    }

    @Test("a request whose answer is lost is repeated as it was, and gives the same task")
    func lost() async throws {
        let bench = try ECSBench()
        bench.account.fail("RunTask", .lost, .refusal("ThrottlingException", "Rate exceeded"))
        let specification = try await bench.specification(["auto_deregister_task_definition": true])
        let client = try bench.client(specification)
        let task = try await client.create(specification, for: ECSBench.key())
        #expect(bench.account.state.withLock { $0.tasks.count } == 1)
        let bodies = bench.server.calls.filter { $0.operation == "RunTask" }.map(\.parameters)
        #expect(bodies.count >= 2 && Set(bodies).count == 1)
        #expect(try await client.find(ECSBench.key()) == task)
        #expect(try await client.find(ECSBench.key("other")) == nil)
        bench.account.changeTask(["lastStatus": "STOPPED"])
        #expect(try await client.find(ECSBench.key()) == task)
    }

    @Test("a token that belongs to an earlier request leads to the task of that request")
    func token() async throws {
        let bench = try ECSBench()
        let specification = try await bench.specification()
        let client = try bench.client(specification)
        let task = try await client.create(specification, for: ECSBench.key())
        bench.account.fail("RunTask", .refusal("ConflictException", "The provided clientToken is already in use"))
        #expect(try await client.create(specification, for: ECSBench.key()) == task)
    }

    @Test(
        "a lack of room is back-pressure, and other failures are refusals",
        arguments: [
            ("RESOURCE:MEMORY", true), ("RESOURCE:CPU", true), ("AGENT", true),
            ("Capacity is unavailable at this time. Please try again later", true), ("ATTRIBUTE", false),
            ("MISSING", false),
        ])
    func placement(reason: String, isFull: Bool) async throws {
        let bench = try ECSBench()
        bench.account.fail("RunTask", .json(["tasks": [], "failures": [["reason": .string(reason)]]]))
        let specification = try await bench.specification()
        let client = try bench.client(specification)
        let error = await #expect(throws: RemoteTaskError.self) {
            try await client.create(specification, for: ECSBench.key())
        }
        #expect(error?.kind == (isFull ? .full : .refused) && error?.message.contains(reason) == true)
        // The next attempt finds room.
        _ = try await client.create(specification, for: ECSBench.key())
    }

    @Test(
        "refusals of AWS say what to change",
        arguments: [
            ("ClusterNotFoundException", "Cluster not found.", "cluster 'default' not found in r1"),
            ("AccessDeniedException", "User: u is not authorized to perform: ecs:RunTask", "may not ecs:RunTask"),
            ("InvalidParameterException", "The subnet ID 'x' does not exist", "Check subnets"),
            ("InvalidParameterException", "The capacity provider 'x' is not associated", "capacity_provider_strategy"),
            ("UnrecognizedClientException", "The security token is invalid", "correct the keys"),
            ("BlockedException", "Your account is blocked", "ecs:RunTask is refused"),
        ])
    func refusals(code: String, message: String, part: String) async throws {
        let bench = try ECSBench()
        bench.account.fail("RunTask", .refusal(code, message))
        let specification = try await bench.specification()
        let client = try bench.client(specification)
        let error = await #expect(throws: RemoteTaskError.self) {
            try await client.create(specification, for: ECSBench.key())
        }
        #expect(error?.kind == .refused && error?.message.contains(part) == true, "\(error?.message ?? "")")
    }

    @Test("quotas are back-pressure, and a service that fails is unavailable")
    func quotas() async throws {
        let bench = try ECSBench()
        let specification = try await bench.specification()
        let client = try bench.client(specification)
        let quota = "You've reached the limit on the number of vCPUs you can run concurrently"
        bench.account.fail("RunTask", .refusal("ThrottlingException", quota))
        let full = await #expect(throws: RemoteTaskError.self) {
            try await client.create(specification, for: ECSBench.key())
        }
        #expect(full?.kind == .full)
        let away = FakeAWS.Answer.refusal("ServerException", "Service Unavailable", status: 503)
        bench.account.fail("RunTask", away, away, away)
        let error = await #expect(throws: RemoteTaskError.self) {
            try await client.create(specification, for: ECSBench.key())
        }
        #expect(error?.kind == .unavailable(isUnapplied: false))
        bench.account.fail("RunTask", .refusal("ExpiredTokenException", "expired"))
        let expired = await #expect(throws: RemoteTaskError.self) {
            try await client.create(specification, for: ECSBench.key())
        }
        #expect(expired?.kind == .unavailable(isUnapplied: true) && expired?.message.contains("renew") == true)
    }
}
