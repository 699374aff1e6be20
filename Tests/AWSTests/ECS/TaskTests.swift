import BackendKit
import BackendKitTesting
import OrderedCollections
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@testable import ECSBackend

@Suite("ECS tasks")
struct TaskTests {
    private static func status(_ changes: JSONValue) -> TaskStatus? {
        var task: JSONValue = [
            "taskArn": "arn:aws:ecs:r1:1:task/default/0", "clusterArn": "arn:aws:ecs:r1:1:cluster/default",
            "taskDefinitionArn": "arn:d", "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited",
            "containers": [["name": "prefect", "exitCode": 0]],
        ]
        for (key, value) in changes.objectValue ?? [:] { task[key] = value }
        return TaskStatus(task)
    }

    @Test(
        "an end has the exit code of the flow's container, its cause and a remedy",
        arguments: [
            ([:], 0, nil), (["containers": [["name": "prefect", "exitCode": 7]]], 7, nil),
            (["containers": [["name": "prefect", "exitCode": 137]]], 137, "killed (137)"),
            (
                ["containers": [["name": "prefect", "exitCode": 137, "reason": "OutOfMemoryError: killed"]]], 137,
                "job variable 'memory'"
            ),
            (
                [
                    "stopCode": "TaskFailedToStart", "containers": [["name": "prefect"]],
                    "stoppedReason": "CannotPullContainerError: x",
                ], nil, "Container image pull failed"
            ),
            (
                [
                    "stopCode": "TaskFailedToStart", "containers": [],
                    "stoppedReason": "ResourceInitializationError: secrets",
                ], nil, "execution role"
            ),
            (
                ["stopCode": "TaskFailedToStart", "containers": [], "stoppedReason": "x"], nil,
                "ECS task failed to start: x"
            ),
            (["stopCode": "SpotInterruption", "containers": [["name": "prefect", "exitCode": 143]]], 143, "Spot"),
            (["stopCode": "UserInitiated", "containers": [["name": "prefect"]]], nil, "stopped by a request"),
            (
                ["stopCode": nil, "containers": [["name": "prefect"]], "stoppedReason": "host"], nil,
                "without an exit code"
            ),
            // A sidecar that is killed after the flow's end does not count.
            (["containers": [["name": "side", "exitCode": 137], ["name": "prefect", "exitCode": 0]]], 0, nil),
            (
                [
                    "containers": [["name": "main", "exitCode": 0], ["name": "side", "exitCode": 1]],
                    "overrides": ["containerOverrides": [["name": "main", "command": ["x"]]]],
                ], 0, nil
            ),
            (
                ["containers": [["name": "a", "exitCode": 0], ["name": "b", "exitCode": 3]]], 3,
                "stopped with a non-zero exit code: b"
            ),
        ] as [(JSONValue, Int?, String?)])
    func ends(changes: JSONValue, code: Int?, part: String?) throws {
        let end = try #require(Self.status(changes)?.end)
        #expect(end.code == code)
        #expect(part.map { end.reason?.contains($0) == true } ?? (end.reason == nil), "\(end.reason ?? "")")
    }

    @Test("a task that has not begun says since when")
    func waiting() throws {
        let waiting = try #require(Self.status(["lastStatus": "PROVISIONING", "createdAt": 1_700_000_000.5]))
        #expect(waiting.end == nil)
        #expect(waiting.reasonForWaiting == "ECS task is provisioning since 2023-11-14T22:13:20Z")
        #expect(try #require(Self.status(["lastStatus": "RUNNING"])).reasonForWaiting == nil)
    }

    @Test("names are those of the Python worker, with either form of a cluster")
    func names() throws {
        let arn = "arn:aws:ecs:r1:1:task/big/0"
        #expect(TaskName(cluster: nil, arn: arn).text == "arn:aws:ecs:r1:1:cluster/big::\(arn)")
        #expect(TaskName(cluster: "big", arn: arn).text == "big::\(arn)")
        #expect(TaskName(cluster: nil, arn: "arn:aws:ecs:r1:1:task/0").cluster == "default")
        #expect(TaskName("big::\(arn)")?.region == "r1" && TaskName("::\(arn)") == nil && TaskName("a:b") == nil)
    }

    @Test("a crash shows the last lines in CloudWatch, and events tell each status once")
    func watch() async throws {
        let bench = try ECSBench()
        let specification = try await bench.specification([
            "configure_cloudwatch_logs": true, "execution_role_arn": "arn:aws:iam::1:role/e",
        ])
        let client = try bench.client(specification)
        let task = try await client.create(specification, for: ECSBench.key())
        let reporter = RecordingReporter()
        let first = try #require(try await client.describe([task])[task])
        client.report(first, after: nil, of: task, to: reporter)
        client.report(first, after: first, of: task, to: reporter)
        bench.account.state.withLock { $0.logs = [["message": "one"], ["message": "two"]] }
        bench.account.changeTask(["lastStatus": "STOPPED", "containers": [["name": "prefect", "exitCode": 1]]])
        let last = try #require(try await client.describe([task])[task])
        client.report(last, after: first, of: task, to: reporter)
        #expect(client.end(of: last)?.lastOutput == "one\ntwo")
        #expect(reporter.events.map(\.name) == ["prefect.ecs.task.provisioning", "prefect.ecs.task.stopped"])
        let stream = bench.server.calls.last { $0.operation == "GetLogEvents" }?.parameters["logStreamName"]
        #expect(stream == "prefect-logs_pool_d1/prefect/0")
        #expect(client.consoleURL(of: task)?.hasSuffix("/ecs/v2/clusters/default/tasks/0?region=r1") == true)
    }

    @Test("the queue's events have its ids, and events of other tasks stay in the queue")
    func queue() async throws {
        let bench = try ECSBench()
        let specification = try await bench.specification()
        let client = try bench.client(specification)
        let task = try await client.create(specification, for: ECSBench.key())
        func message(_ id: String, _ task: String, count: Int = 1) -> JSONValue {
            let event: JSONValue = [
                "detail-type": "ECS Task State Change", "id": .string(id), "time": "2026-01-02T03:04:05Z",
                "detail": ["taskArn": .string(task), "lastStatus": "PENDING"],
            ]
            return [
                "Body": .string(event.serialized()), "ReceiptHandle": .string(id),
                "Attributes": ["ApproximateReceiveCount": .string("\(count)")],
            ]
        }
        bench.account.state.withLock { state in
            state.messages = [
                message("own", "arn:aws:ecs:r1:1:task/default/0"), message("foreign", "arn:other"),
                message("stale", "arn:other", count: 5),
            ]
        }
        let changed = Names()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await client.followChanges { changed.add($0) } }
            try? await eventually("events are deleted") { !bench.account.state.withLock { $0.deleted.isEmpty } }
            group.cancelAll()
        }
        #expect(changed.all == [task])
        #expect(bench.account.state.withLock { $0.deleted.compactMap { $0["ReceiptHandle"] } } == ["own", "stale"])
        let reporter = RecordingReporter()
        let status = try #require(try await client.describe([task])[task])
        client.report(status, after: nil, of: task, to: reporter)
        #expect(reporter.events.map(\.id) == ["own", nil])
    }

    @Test("a stop of a task that is gone is not found, and a stopped task's definition goes out of use if the job asks")
    func stops() async throws {
        let bench = try ECSBench()
        let specification = try await bench.specification(["auto_deregister_task_definition": true])
        let client = try bench.client(specification)
        let task = try await client.create(specification, for: ECSBench.key())
        #expect(try await client.delete(task) == false)
        #expect(try await client.delete(task))
        #expect(bench.account.state.withLock { $0.definitions[0]["status"] } == "INACTIVE")
        let gone = "default::arn:aws:ecs:r1:1:task/default/99"
        let error = await #expect(throws: RemoteTaskError.self) {
            try await client.stop(gone, grace: .zero, reason: .cancelled)
        }
        #expect(error?.kind == .notFound)
        await #expect(throws: RemoteTaskError.self) { try await client.delete(gone) }
        #expect(throws: InfrastructureError.self) {
            try client.task(of: InfrastructureIdentifier(rawValue: "default::arn:aws:ecs:elsewhere:1:task/default/0"))
        }
    }

    @Test("a task of this worker that does not begin is an orphan, and others are not")
    func orphans() async throws {
        let bench = try ECSBench()
        let specification = try await bench.specification()
        let client = try bench.client(specification)
        let task = try await client.create(specification, for: ECSBench.key())
        #expect(try await client.orphans(of: "owner-1", creating: []) == [task])
        #expect(try await client.orphans(of: "owner-2", creating: []) == [])
        bench.account.changeTask(["startedAt": 1_700_000_001, "lastStatus": "RUNNING"])
        #expect(try await client.orphans(of: "owner-1", creating: []) == [])
    }
}
