import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

extension ECSTests {
    @Test(
        "the Python worker and this one each stop what the other has started, at the server's request",
        .enabled("needs the Python worker of the type: TEST_CLOUD_PREFECT names its 'prefect' program") {
            ECSStandIn.pythonWorker != nil
        })
    func peer() async throws {
        let python = try #require(ECSStandIn.pythonWorker)
        try await withTemporaryDirectory { folder in
            let own = try OwnServer(folder: folder)
            let settings = [
                "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS": "1",
                "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_CANCELLING_TIMEOUT_SECONDS": "3",
            ]
            try await own.whileRunning(settings: settings) {
                try await withECSBench(on: own.client) { ecs in
                    let pool = ecs.bench.pool
                    let ours = (WorkerProgram.path, ["start", "--pool", pool, "--name", "ours", "--type", "ecs"])
                    let theirs = (python, ["worker", "start", "--pool", pool, "--name", "theirs", "--type", "ecs"])
                    try await expectStop(of: ours, by: theirs, "Boto3", ecs)
                    try await expectStop(of: theirs, by: ours, "prefect-worker", ecs)
                }
            }
        }
    }

    /// Lets one worker start a run and die, and expects that another one stops the run's task.
    ///
    /// - Parameter agent: The beginning of the other worker's requests to AWS.
    private func expectStop(
        of first: (program: String, arguments: [String]), by second: (program: String, arguments: [String]),
        _ agent: String, _ ecs: ECSBench
    ) async throws {
        let server = ecs.bench.server
        let environment = ecs.bench.environment(
            ecs.environment([
                "PREFECT_API_AUTH_STRING": OwnServer.credentials, "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            ]))
        var run = ""
        try await withChildProcess(
            first.program, first.arguments, environment: environment, workingDirectory: ecs.bench.folder
        ) { worker in
            let created = try await ecs.shell("trap 'exit 0' TERM; while :; do sleep 0.2; done")
            run = created
            try await eventually(within: .seconds(90), "the run has a container", every: .milliseconds(300)) {
                let identifier = try await server.flowRun(created)["infrastructure_pid"]?.stringValue
                return try await ecs.containers(of: created) == 1 && identifier != nil
            }
            worker.send(.kill)
            _ = try await worker.waitForExit()
        }
        try await server.setState(of: run, to: "RUNNING", force: true)
        let task =
            try await server.flowRun(run)["infrastructure_pid"]?.stringValue?.split(separator: "/").last ?? "none"
        // A worker of another name does not recover the run by itself.
        let arguments = second.arguments.map { $0 == "ours" ? "other" : $0 }
        try await withChildProcess(
            second.program, arguments, environment: environment, workingDirectory: ecs.bench.folder
        ) { worker in
            try await Task.sleep(for: .seconds(3))
            try await server.setState(of: run, to: "CANCELLING", name: "Cancelling")
            try await eventually(within: .seconds(90), "the other worker stops the task", every: .seconds(1)) {
                let calls = try await ecs.stand.call("GET", "/_lab/calls").arrayValue ?? []
                return calls.contains {
                    $0["operation"] == "StopTask" && $0["body"]?.stringValue?.contains(task) == true
                        && $0["agent"]?.stringValue?.hasPrefix(agent) == true
                }
            }
            worker.send(.kill)
            _ = try await worker.waitForExit()
        }
    }
}
