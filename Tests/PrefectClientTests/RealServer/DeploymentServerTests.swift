import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@Suite("Deployments and task runs of a real server", .requires(.prefectServer), .timeLimit(.minutes(10)))
struct DeploymentServerTests {
    @Test("deployments are created, replaced, read, changed and deleted")
    func deployments() async throws {
        try await withRealServer { client, cleanUp in
            let name = uniqueName("deployment")
            let flow = try await client.createFlow(named: name)
            cleanUp.add { try await client.deleteFlow(id: flow) }
            let new = DeploymentCreate(name: name, flowID: flow) { $0.parameters = ["a": 1] }
            let id = try await client.createDeployment(new)
            // A deployment of the same flow and name is replaced.
            #expect(try await client.createDeployment(new) == id)
            #expect(try await client.readDeployment(id: id).parameters == ["a": 1])
            #expect(try await client.readDeployment(named: name, ofFlow: name).id == id)
            let found = try await client.readDeployments(deployments: DeploymentFilter(name: .equals(name)), limit: 5)
            #expect(found.map(\.id) == [id])
            try await client.updateDeployment(id: id, DeploymentUpdate { $0.description = "new" })
            try await client.pauseDeployment(id: id)
            let paused = try await client.readDeployment(id: id)
            #expect(paused.paused && paused.description == "new")
            try await client.resumeDeployment(id: id)
            #expect(try await !client.readDeployment(id: id).paused)
            try await client.deleteDeployment(id: id)
            #expect(await apiError { _ = try await client.readDeployment(id: id) }?.isNotFound == true)
        }
    }

    @Test("schedules are created, read, changed and deleted")
    func schedules() async throws {
        try await withRealServer { client, cleanUp in
            let name = uniqueName("schedule")
            let flow = try await client.createFlow(named: name)
            cleanUp.add { try await client.deleteFlow(id: flow) }
            let id = try await client.createDeployment(DeploymentCreate(name: name, flowID: flow))
            cleanUp.add { try await client.deleteDeployment(id: id) }
            let hourly = DeploymentScheduleCreate(schedule: .interval(IntervalSchedule(interval: .seconds(3600)))) {
                $0.slug = "hourly"
            }
            let nightly = DeploymentScheduleCreate(schedule: .cron(CronSchedule(cron: "0 3 * * *"))) {
                $0.active = false
            }
            let created = try await client.createDeploymentSchedules(deploymentID: id, [hourly, nightly])
            #expect(Set(created.map(\.active)) == [true, false])
            let schedule = try #require(created.first { $0.active })
            try await client.updateDeploymentSchedule(
                deploymentID: id, id: schedule.id, DeploymentScheduleUpdate { $0.active = false })
            let changed = try await client.readDeploymentSchedules(deploymentID: id)
            #expect(changed.map(\.active) == [false, false])
            #expect(changed.first { $0.id == schedule.id }?.slug == "hourly")
            try await client.deleteDeploymentSchedule(deploymentID: id, id: schedule.id)
            #expect(try await client.readDeploymentSchedules(deploymentID: id).map(\.slug) == [nil])
            let gone = await apiError {
                try await client.deleteDeploymentSchedule(deploymentID: id, id: schedule.id)
            }
            #expect(gone?.isNotFound == true)
        }
    }

    @Test("runs of a deployment are created once per idempotency key and found when they are due")
    func runs() async throws {
        try await withRealServer { client, cleanUp in
            let name = uniqueName("runs")
            let flow = try await client.createFlow(named: name)
            cleanUp.add { try await client.deleteFlow(id: flow) }
            let id = try await client.createDeployment(
                DeploymentCreate(name: name, flowID: flow) { $0.parameters = ["a": 1, "b": 1] })
            cleanUp.add { try await client.deleteDeployment(id: id) }
            let run = try await client.createFlowRun(
                fromDeployment: id, parameters: ["a": 2], name: name, idempotencyKey: name)
            #expect(try await client.createFlowRun(fromDeployment: id, idempotencyKey: name).id == run.id)
            #expect(run.parameters == ["a": 2, "b": 1] && run.deploymentID == id && run.name == name)
            let later = try await client.createFlowRun(
                fromDeployment: id,
                state: StateCreate(
                    type: .scheduled, name: "Scheduled", scheduledTime: Timestamp.now.adding(seconds: 3600)))
            let due = try await client.getScheduledFlowRuns(
                forDeployments: [id], scheduledBefore: Timestamp.now.adding(seconds: 60), limit: 5)
            #expect(due.map(\.id) == [run.id])
            let all = try await client.getScheduledFlowRuns(forDeployments: [id])
            #expect(all.map(\.id) == [run.id, later.id])
            // A key belongs to the flow, not to the deployment.
            let other = try await client.createDeployment(DeploymentCreate(name: "other", flowID: flow))
            cleanUp.add { try await client.deleteDeployment(id: other) }
            #expect(try await client.createFlowRun(fromDeployment: other, idempotencyKey: name).id == run.id)
        }
    }

    @Test("only planned runs that have never run are deleted with their deployment")
    func deletion() async throws {
        try await withRealServer { client, cleanUp in
            let name = uniqueName("deletion")
            let flow = try await client.createFlow(named: name)
            cleanUp.add { try await client.deleteFlow(id: flow) }
            let id = try await client.createDeployment(DeploymentCreate(name: name, flowID: flow))
            cleanUp.add { try await client.deleteDeployment(id: id) }
            let histories: [(name: String, states: [StateCreate])] = [
                ("planned", []),
                ("waiting", [StateCreate(type: .scheduled, name: "AwaitingConcurrencySlot", scheduledTime: .now)]),
                ("claimed", [.pending]),
                ("running", [StateCreate(type: .running)]),
                (
                    "retried",
                    [
                        StateCreate(type: .running),
                        StateCreate(type: .scheduled, name: "AwaitingRetry", scheduledTime: .now),
                    ]
                ),
                ("ended", [StateCreate(type: .completed)]),
            ]
            for history in histories {
                let run = try await client.createFlowRun(fromDeployment: id, name: history.name)
                for state in history.states {
                    _ = try await client.setFlowRunState(id: run.id, state, force: true)
                }
            }
            try await client.deleteDeployment(id: id)
            let left = try await client.readFlowRuns(flows: FlowFilter(id: .equals(flow)))
            #expect(Set(left.map(\.name)) == ["waiting", "claimed", "running", "retried", "ended"])
            #expect(left.allSatisfy { $0.deploymentID == id })
        }
    }

    @Test("task runs are created, read, changed and deleted")
    func taskRuns() async throws {
        try await withRealServer { client, cleanUp in
            let name = uniqueName("task")
            let flowRun = try await client.createFlowRun(ofFlow: name)
            cleanUp.add { try await client.deleteFlow(id: flowRun.flowID) }
            let run = try await client.createTaskRun(
                TaskRunCreate(taskKey: "t", dynamicKey: "0") {
                    $0.flowRunID = flowRun.id
                    $0.name = "first"
                })
            #expect(run.stateType == .pending)
            try await client.setTaskRunName(id: run.id, to: "second")
            // The server lets no task run before its flow.
            let early = try await client.setTaskRunState(id: run.id, StateCreate(type: .running))
            #expect(early.status == .abort)
            _ = try await client.setFlowRunState(id: flowRun.id, StateCreate(type: .running))
            let result = try await client.setTaskRunState(id: run.id, StateCreate(type: .running, name: "Running"))
            #expect(result.status == .accept)
            #expect(try await client.readTaskRun(id: run.id).name == "second")
            let found = try await client.readTaskRuns(flowRuns: FlowRunFilter(id: .equals(flowRun.id)), limit: 5)
            #expect(found.map(\.id) == [run.id])
            #expect(try await client.readTaskRunStates(taskRunID: run.id).map(\.type) == [.pending, .running])
            try await client.deleteTaskRun(id: run.id)
            #expect(await apiError { _ = try await client.readTaskRun(id: run.id) }?.isNotFound == true)
        }
    }

    @Test("the server states its health, its version and its result storage")
    func server() async throws {
        try await withRealServer { client, _ in
            #expect(await client.checkHealth() == nil)
            #expect(try await client.hello().isEmpty == false)
            #expect(try await client.checkServerVersion()?.text == client.readAPIVersion())
            #expect(try await client.readWorkerMetadata()["prefect"] != nil)
            let storage = try await client.readServerDefaultResultStorage().defaultResultStorageBlockID
            let unknown = await apiError { try await client.updateServerDefaultResultStorage(blockID: UUID()) }
            #expect(unknown?.isNotFound == true)
            // All programs of the server share this setting, so the test writes the present value.
            if let storage {
                try await client.updateServerDefaultResultStorage(blockID: storage)
            } else {
                try await client.clearServerDefaultResultStorage()
            }
            #expect(try await client.readServerDefaultResultStorage().defaultResultStorageBlockID == storage)
        }
    }
}
