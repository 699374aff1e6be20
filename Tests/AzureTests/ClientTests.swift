import AzureAccess
import BackendKit
import BackendKitTesting
import PrefectJSON
import Testing

@testable import ContainerInstancesBackend

@Suite("Container groups", .timeLimit(.minutes(1)))
struct ClientTests {
    static let run = "6f9619ff-8b86-4011-b42d-00c04fc96401"
    static let group = "my-flow-\(run)"

    private static func key(_ claim: String = "claim-1") -> RemoteTaskKey {
        RemoteTaskKey(flowRunID: run, claimID: claim, owner: "owner-1")
    }

    private static func specification(_ variables: JSONValue = [:]) async throws -> ContainerInstancesSpecification {
        try await Jobs.specification(variables, flowName: "My Flow", flowRunID: run)
    }

    private static func task(_ claim: String? = "claim-1") -> GroupTask {
        GroupTask(flowRunID: run, group: group, claimID: claim)
    }

    // MARK: Creation

    @Test("a group is deployed once, with the tags of its worker, and found by its claim")
    func creation() async throws {
        let azure = try FakeAzure()
        azure.change { $0.looks = 2 }
        let client = try azure.client()
        let specification = try await Self.specification()
        let task = try await client.create(specification, for: Self.key())
        #expect(GroupTask(text: task) == Self.task())
        #expect(client.identifier(of: task).rawValue == "\(Self.run):\(Self.group)")
        #expect(try client.task(of: client.identifier(of: task)) == task)
        let body = try #require(azure.requests.first { $0.method == "PUT" }).json
        let tags = body["properties"]?["template"]?["resources"]?[0]?["tags"]
        #expect(tags?["prefect-worker-claim"] == "claim-1" && tags?["prefect-worker-owner"] == "owner-1")
        #expect(tags?["prefect.io.flow-run-id"]?.stringValue == Self.run)
        #expect(try await client.create(specification, for: Self.key()) == task)
        #expect(try await client.find(specification, for: Self.key()) == task)
        #expect(try await client.find(Self.key()) == task)
        #expect(try await client.find(specification, for: Self.key("claim-2")) == nil)
        #expect(try await client.find(Self.key("claim-2")) == nil)
        #expect(azure.current.starts == 1)
        #expect(client.consoleURL(of: task)?.contains(Self.group) == true)
    }

    @Test("the creation whose answer is lost is found again, and not repeated", arguments: [0, 3])
    func lostAnswer(_ looks: Int) async throws {
        let azure = try FakeAzure()
        azure.change { $0.looks = looks }
        azure.fail("PUT ", looks == 0 ? nil : .init(status: "502 Bad Gateway"), hasEffect: true)
        let client = try azure.client()
        let specification = try await Self.specification()
        let error = await failure { try await client.create(specification, for: Self.key()) }
        #expect((error as? RemoteTaskError)?.kind == .unavailable(isUnapplied: false))
        #expect(try await client.find(specification, for: Self.key()) == Self.task().text)
        #expect(azure.current.starts == 1)
    }

    @Test("an active deployment of the run's name is followed")
    func conflict() async throws {
        let azure = try FakeAzure()
        azure.change { state in
            state.looks = 3
            state.deployments["prefect-\(Self.group)"] = ("Running", nil)
            state.groups[Self.group] = FakeAzure.group(
                Self.group, "Running", tags: ["prefect-worker-claim": "claim-1"])
        }
        azure.fail("GET containerGroups/\(Self.group)", .error("404 Not Found", "ResourceNotFound"))
        let client = try azure.client()
        #expect(try await client.create(try await Self.specification(), for: Self.key()) == Self.task().text)
        #expect(azure.current.starts == 0)
    }

    @Test("a group of an earlier attempt at the run is deleted before another is created")
    func earlierAttempt() async throws {
        let azure = try FakeAzure()
        azure.change { state in
            state.deletionLooks = 2
            state.groups[Self.group] = FakeAzure.group(Self.group, "Running", tags: ["prefect-worker-claim": "old"])
        }
        let client = try azure.client()
        let task = try await client.create(try await Self.specification(), for: Self.key())
        #expect(azure.current.groups[Self.group]?["tags"]?["prefect-worker-claim"] == "claim-1")
        // What remains to do for the earlier attempt does not touch the group of the later one.
        #expect(try await client.delete(Self.task("old").text))
        #expect(try await client.describe([Self.task("old").text]) == [:])
        await #expect(throws: RemoteTaskError.self) {
            try await client.stop(Self.task("old").text, grace: .zero, reason: .shutdown)
        }
        #expect(try await client.describe([task])[task]?.hasBegun == true)
    }

    @Test(
        "a deployment without quota waits for room, and one that Azure refuses is refused with its reason",
        arguments: [("ContainerGroupQuotaReached", true), ("InaccessibleImage", false), ("SomethingElse", false)])
    func failedDeployment(_ code: String, _ isFull: Bool) async throws {
        let azure = try FakeAzure()
        azure.change { state in
            state.endings = [
                (
                    "Failed",
                    [
                        "code": "DeploymentFailed", "message": "See the details.",
                        "details": [["code": .string(code), "message": "the reason."]],
                    ]
                )
            ]
        }
        let client = try azure.client()
        let error = await failure { try await client.create(try await Self.specification(), for: Self.key()) }
        let found = try #require(error as? RemoteTaskError)
        #expect(found.kind == (isFull ? .full : .refused))
        #expect(found.message.contains("\(code): the reason") && !found.message.contains("\n"))
        #expect(azure.current.deployments.isEmpty)
        #expect(try await client.create(try await Self.specification(), for: Self.key()) == Self.task().text)
    }

    @Test("throttling of a creation makes the run wait as long as Azure requests")
    func throttled() async throws {
        let azure = try FakeAzure()
        for _ in 0..<4 {
            azure.fail("PUT ", .init(status: "429 Too Many Requests", headers: ["Retry-After: 20"]))
        }
        let client = try azure.client()
        let error = await failure { try await client.create(try await Self.specification(), for: Self.key()) }
        let found = try #require(error as? RemoteTaskError)
        #expect(found.kind == .full && found.retryAfter == .seconds(20))
    }

    // MARK: Watching

    @Test("many groups are described by one listing; those without a state are read one by one")
    func listing() async throws {
        let azure = try FakeAzure()
        let tasks = (0..<20).map { GroupTask(flowRunID: "run-\($0)", group: "g\($0)").text }
        azure.change { state in
            for number in 0..<20 { state.groups["g\(number)"] = FakeAzure.group("g\(number)", "Running") }
        }
        let client = try azure.client()
        #expect(try await client.describe(tasks).count == 20)
        #expect(azure.calls == ["GET Microsoft.ContainerInstance/containerGroups"])
        azure.change { state in
            state.listsViews = false
            state.groups["g3"] = FakeAzure.group("g3", "Terminated", code: 7)
        }
        let found = try await client.describe(tasks)
        #expect(found.count == 20 && found[tasks[3]]?.end?.code == 7)
        #expect(azure.calls.count == 22)
        // A listing that lacks a group is no evidence: the group itself is read.
        azure.change { state in state.pageSize = 1 }
        azure.fail("GET Microsoft.ContainerInstance/containerGroups", .init(body: ["value": []]))
        #expect(try await client.describe(tasks).count == 20)
        azure.change { $0.groups["g4"] = nil }
        #expect(try await client.describe(tasks)[tasks[4]] == nil)
        azure.fail("GET Microsoft.ContainerInstance/containerGroups", .error("404 Not Found", "ResourceGroupNotFound"))
        #expect(try await client.describe(tasks) == [:])
        azure.fail("GET Microsoft.ContainerInstance/containerGroups", .error("404 Not Found", "SubscriptionNotFound"))
        #expect(await failure { try await client.describe(tasks) } is RemoteTaskError)
    }

    @Test("a thousand groups without states are read in portions, and none is missing")
    func thousand() async throws {
        let azure = try FakeAzure()
        let tasks = (0..<1000).map { GroupTask(flowRunID: "run-\($0)", group: "g\($0)").text }
        azure.change { state in
            state.listsViews = false
            for number in 0..<1000 { state.groups["g\(number)"] = FakeAzure.group("g\(number)", "Running") }
        }
        let client = try azure.client()
        for _ in 0..<2 { #expect(try await client.describe(tasks).count == 1000) }
        #expect(azure.calls.count == 2 * 61)
        #expect(Set(azure.calls).count == 121)
    }

    @Test("the end of a container is its exit code with the reason and the remedy")
    func ends() throws {
        func status(_ state: String, _ code: Int?, _ detail: String) throws -> GroupStatus {
            try #require(GroupStatus(FakeAzure.group("g", state, code: code, detail: detail)))
        }
        #expect(try status("Running", nil, "").end == nil)
        #expect(try status("Terminated", 0, "Completed").end == ExitStatus(code: 0))
        #expect(try status("Terminated", 7, "Error").end == ExitStatus(code: 7))
        let starved = try #require(status("Terminated", 137, "OOMKilled").end)
        #expect(starved.code == 137 && starved.reason?.contains("1.5 GB") == true)
        #expect(try status("Terminated", 127, "Error: no such file").end?.reason?.contains("entrypoint") == true)
        let event: JSONValue = [
            "type": "Warning", "message": "Failed to pull image \"x\".", "lastTimestamp": "2026-01-01T00:00:00Z",
        ]
        let waiting = try #require(
            GroupStatus(FakeAzure.group("g", "Waiting", detail: "ImagePullBackOff", events: [event])))
        #expect(waiting.end == nil && waiting.reasonForWaiting?.contains("Failed to pull image") == true)
        var stopping = FakeAzure.group("g", "Running")
        stopping["properties"]?["instanceView"]?["state"] = "Stopped"
        #expect(try #require(GroupStatus(stopping)).end == nil)
        stopping["properties"]?["containers"] = [["name": "main", "properties": [:]]]
        #expect(try #require(GroupStatus(stopping)).end?.reason?.contains("stopped") == true)
        var failed = FakeAzure.group("g", "Waiting", events: [event])
        failed["properties"]?["provisioningState"] = "Failed"
        let end = try #require(GroupStatus(failed)?.end)
        #expect(end.code == nil && end.reason?.contains("Failed to pull image") == true)
        let reporter = RecordingReporter()
        let client = try FakeAzure().client()
        client.report(waiting, after: nil, of: "r:g", to: reporter)
        client.report(waiting, after: waiting, of: "r:g", to: reporter)
        #expect(reporter.lines.count == 1)
    }

    // MARK: Ending

    @Test("a group is stopped, deleted until it is gone, and its deployment after it")
    func deletion() async throws {
        let azure = try FakeAzure()
        let client = try azure.client()
        let task = try await client.create(try await Self.specification(), for: Self.key())
        try await client.stop(task, grace: .seconds(1), reason: .cancelled)
        #expect(try await client.describe([task])[task]?.end?.code == 143)
        #expect(try await client.delete(task) == false)
        #expect(azure.current.deployments.count == 1)
        #expect(try await client.delete(task))
        #expect(azure.current.deployments.isEmpty && azure.current.groups.isEmpty)
        #expect(try await client.delete(task))
        let error = await failure { try await client.stop(task, grace: .zero, reason: .cancelled) }
        #expect((error as? RemoteTaskError)?.kind == .notFound)
    }

    @Test("a deployment that has no group yet is cancelled")
    func cancelledDeployment() async throws {
        let azure = try FakeAzure()
        azure.change { state in
            state.looks = 100
            state.deployments["prefect-\(Self.group)"] = ("Running", nil)
        }
        let client = try azure.client()
        #expect(try await client.delete(Self.task().text) == false)
        #expect(azure.current.deployments["prefect-\(Self.group)"]?.state == "Canceled")
        #expect(try await client.delete(Self.task().text))
        azure.change { $0.deployments["prefect-\(Self.group)"] = ("Running", nil) }
        try await client.stop(Self.task().text, grace: .zero, reason: .cancelled)
        #expect(azure.current.deployments["prefect-\(Self.group)"]?.state == "Canceled")
    }

    @Test("orphans are the ended groups with the mark of the worker; kept groups have none")
    func orphans() async throws {
        let azure = try FakeAzure()
        func add(_ name: String, _ state: String, _ tags: JSONValue) {
            azure.change {
                $0.groups[name] = FakeAzure.group(name, state, code: state == "Running" ? nil : 0, tags: tags)
            }
        }
        let mine: JSONValue = ["prefect-worker-owner": "owner-1", "prefect-worker-claim": "c"]
        add("a-\(Self.run)", "Terminated", mine)
        add("b-\(Self.run)", "Running", mine)
        add("c-\(Self.run)", "Terminated", ["prefect-worker-owner": "owner-2"])
        add("d-\(Self.run)", "Terminated", [:])
        for listsViews in [true, false] {
            azure.change { $0.listsViews = listsViews }
            let client = try azure.client()
            let orphan = GroupTask(flowRunID: Self.run, group: "a-\(Self.run)", claimID: "c").text
            #expect(try await client.orphans(of: "owner-1", creating: []) == [orphan])
            #expect(client.origin(of: orphan) == RemoteTaskOrigin(flowRunID: Self.run, claimID: "c"))
        }
        let kept = try await Self.specification(["keep_container_group": true])
        _ = try await azure.client().create(kept, for: Self.key())
        #expect(try await azure.client().orphans(of: "owner-1", creating: []).count == 1)
    }

    @Test("an identifier of the Python worker names its group, and other texts are out of reach")
    func identifiers() throws {
        let client = try FakeAzure().client()
        let identifier = InfrastructureIdentifier(rawValue: "\(Self.run):some-group")
        #expect(GroupTask(text: try client.task(of: identifier)) == GroupTask(flowRunID: Self.run, group: "some-group"))
        for text in ["no colon", "a:b:c", ":b", "a:", "a b:c"] {
            let error = #expect(throws: InfrastructureError.self) {
                try client.task(of: InfrastructureIdentifier(rawValue: text))
            }
            #expect(error?.kind == .notReachable)
        }
        // Without a configuration, the data of the identifier name the resource group.
        let bare = ContainerInstancesClient(
            place: ContainerInstancesPlace(group: nil, credentials: .init()), arm: client.arm)
        let known = Self.task().identifier(in: FakeAzure.place)
        #expect(GroupTask(text: try bare.task(of: known))?.location == FakeAzure.place)
        #expect(bare.identifier(of: try bare.task(of: known)) == known)
        #expect(throws: InfrastructureError.self) { try bare.task(of: identifier) }
    }
}
