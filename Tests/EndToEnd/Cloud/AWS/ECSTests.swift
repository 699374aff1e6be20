import BackendKit
import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

// The faults of the stand-in concern all its clients, so one test runs after the other.
@Suite("Flows as ECS tasks", .requires(.prefectServer), .awsStandIn, .serialized, .bounded)
struct ECSTests {
    @Test("the backend conforms")
    func conforms() async throws {
        try await Conformance.expect("ecs", image: "busybox:lab", timeout: .seconds(300))
    }

    @Test("flows complete and fail, crashes have their causes, and events tell each status")
    func ends() async throws {
        try await withECSBench { ecs in
            let server = ecs.bench.server
            let done = try await ecs.flow("succeed", parameters: ["word": "swordfish"])
            let failed = try await ecs.flow("fail")
            let seven = try await ecs.shell(
                "echo last words; exit 7",
                jobVariables: ["configure_cloudwatch_logs": true, "execution_role_arn": "arn:aws:iam::1:role/e"])
            let missing = try await ecs.shell("true", jobVariables: ["image": "nowhere/none:1"])
            let nowhere = try await ecs.shell("true", jobVariables: ["cluster": "nowhere"])
            try await ecs.withWorker { _ in
                #expect(try await ecs.crash(of: seven).contains("status code 7"))
                let starvation = try await Starvation.message(naming: "OutOfMemoryError") {
                    try await ecs.crash(of: ecs.shell(Starvation.command))
                }
                #expect(starvation.contains("OutOfMemoryError"), "\(starvation)")
                let pull = try await ecs.crash(of: missing)
                #expect(pull.contains("Container image pull failed") && pull.contains("CannotPullContainer"), "\(pull)")
                #expect(try await ecs.crash(of: nowhere).contains("cluster 'nowhere' not found"))
                let states: Set = ["Completed", "Failed", "Crashed"]
                #expect(
                    try await server.waitForRun(done, toBe: states, within: .seconds(90))["state_name"] == "Completed")
                #expect(try await server.waitForRun(failed, toBe: states)["state_name"] == "Failed")
                try await eventually(within: .seconds(20), "events and lines have arrived", every: .seconds(1)) {
                    let events = try await server.events(
                        named: ["running", "stopped"].map { "prefect.ecs.task.\($0)" },
                        resource: "prefect.flow-run.\(seven)")
                    let lines = try await server.logs(of: seven)
                    return !events.isEmpty && lines.contains { $0.contains("last words") }
                        && lines.contains { $0.contains("View the task in the console: https://") }
                }
            }
            try await eventually(within: .seconds(20), "the flow's own lines have arrived", every: .seconds(1)) {
                try await server.logs(of: done).contains { $0.contains("the word is swordfish") }
            }
            let identifier = try await server.flowRun(done)["infrastructure_pid"]?.stringValue ?? ""
            #expect(identifier.hasPrefix("arn:aws:ecs:us-east-1:") && identifier.contains("::arn:aws:ecs:us-east-1:"))
        }
    }

    @Test("runs are cancelled while they wait for room, before they begin and while they run")
    func cancellations() async throws {
        try await withECSBench { ecs in
            let server = ecs.bench.server
            try await ecs.withWorker { _ in
                let running = try await ecs.shell("trap 'exit 0' TERM; while :; do sleep 0.2; done")
                try await eventually(within: .seconds(40), "the container runs", every: .milliseconds(300)) {
                    try await ecs.containers(of: running) == 1
                }
                try await ecs.fail("RunTask", times: 50, ["failure": "RESOURCE:MEMORY"])
                let waiting = try await ecs.shell("sleep 60")
                let pending = try await server.waitForRun(waiting, toBe: ["InfrastructurePending"])
                #expect(pending["state"]?["message"]?.stringValue?.contains("RESOURCE:MEMORY") == true)
                for run in [running, waiting] {
                    try await server.setState(of: run, to: "CANCELLING", name: "Cancelling")
                }
                for run in [running, waiting] {
                    try await server.waitForRun(run, toBe: ["Cancelled"], within: .seconds(60))
                }
                #expect(try await ecs.containers(of: waiting) == 0)
            }
        }
    }

    @Test("throttling and lost answers lose no run and start none twice")
    func faults() async throws {
        try await withECSBench { ecs in
            let deployment = try await ecs.deployQuick()
            let throttling: JSONValue = ["error": "ThrottlingException", "message": "Rate exceeded"]
            for operation in ["RunTask", "DescribeTasks", "RegisterTaskDefinition", "DescribeSubnets"] {
                try await ecs.fail(operation, times: 3, throttling)
            }
            try await ecs.fail("RunTask", times: 4, ["error": "ServerException", "after": true])
            try await ecs.withWorker { _ in
                var runs: [String] = []
                for _ in 0..<6 { runs.append(try await ecs.bench.server.createRun(deployment: deployment)) }
                try await ecs.bench.waitForCompletedRuns(6)
                for run in runs { #expect(try await ecs.containers(of: run) == 1) }
            }
        }
    }

    @Test("a service that is away for a while loses no run and no report")
    func outage() async throws {
        try await withECSBench { ecs in
            let server = ecs.bench.server
            let seconds = Int(Outage.length / .seconds(1))
            let ends = try await server.createRun(deployment: ecs.deployQuick(seconds / 2))
            let lasts = try await server.createRun(deployment: ecs.deployQuick(seconds * 2))
            let crashes = try await ecs.shell("sleep \(seconds / 2); exit 7")
            try await withFaultProxy(to: #require(ECSStandIn.address)) { link in
                try await ecs.withWorker(variables: ["AWS_ENDPOINT_URL": link.url]) { _ in
                    try await eventually(within: .seconds(90), "the containers run", every: .milliseconds(300)) {
                        for run in [ends, lasts, crashes] where try await ecs.containers(of: run) == 0 { return false }
                        return true
                    }
                    let due = try await Outage.take(away: link) {
                        try await server.createRun(deployment: ecs.deployQuick())
                    } whileAway: { due in
                        #expect(try await ecs.containers(of: due) == 0)
                        let state = try await server.flowRun(due)["state_type"]?.stringValue ?? ""
                        #expect(["SCHEDULED", "PENDING"].contains(state))
                    }
                    #expect(try await ecs.crash(of: crashes, within: .seconds(120)).contains("status code 7"))
                    try await ecs.bench.waitForCompletedRuns(3)
                    for run in [ends, lasts, due] { #expect(try await ecs.containers(of: run) == 1) }
                    try await eventually(within: .seconds(60), "the ledger is empty", every: .seconds(1)) {
                        try await ecs.bench.remains() == []
                    }
                }
            }
        }
    }

    @Test("a worker that is killed again and again starts no run twice and leaves nothing")
    func kills() async throws {
        try await withECSBench { ecs in
            let deployment = try await ecs.deployQuick()
            let rounds = TestLength.isShort ? 5 : 20
            let environment = ecs.bench.environment(ecs.environment())
            var runs: [String] = []
            for _ in 0..<rounds {
                try await withChildProcess(
                    WorkerProgram.path, ecs.bench.arguments(["--type", "ecs"]), environment: environment,
                    workingDirectory: ecs.bench.directory
                ) { worker in
                    runs.append(try await ecs.bench.server.createRun(deployment: deployment))
                    try await Task.sleep(for: .milliseconds(Int.random(in: 200...4000)))
                    worker.send(.kill)
                    _ = try await worker.waitForExit()
                }
            }
            try await ecs.withWorker { _ in
                try await ecs.bench.waitForEndedRuns(rounds)
                try await eventually(within: .seconds(40), "the ledger is empty", every: .seconds(1)) {
                    try await ecs.bench.remains() == []
                }
            }
            // Two kills in a row during the start of a run make the worker give that run up.
            let givenUp = try await ecs.bench.givenUp(runs)
            #expect(givenUp.count < runs.count)
            for run in runs {
                let state = try await ecs.bench.server.flowRun(run)["state_name"]
                let tasks = try await ecs.containers(of: run)
                #expect(tasks <= 1, "\(run) has \(tasks) tasks")
                if !givenUp.contains(run) { #expect(tasks == 1 && state == "Completed", "\(run)") }
            }
        }
    }

    @Test("two workers on one pool share many runs, and register their definition at most once each")
    func many() async throws {
        try await withECSBench { ecs in
            let runs = TestLength.isShort ? 12 : 200
            let deployment = try await ecs.deployQuick()
            // All runs are due when the workers begin.
            var ids: [String] = []
            for _ in 0..<runs { ids.append(try await ecs.bench.server.createRun(deployment: deployment)) }
            _ = try await ecs.stand.send("DELETE", "/_lab/calls")
            try await ecs.withWorker(name: "one") { _ in
                try await ecs.withWorker(name: "two") { _ in
                    try await ecs.bench.waitForCompletedRuns(runs, within: .seconds(150 + 3 * runs))
                    for run in ids { #expect(try await ecs.containers(of: run) == 1) }
                    try await eventually(within: .seconds(60), "the ledgers are empty", every: .seconds(1)) {
                        try await ecs.bench.remains() == []
                    }
                }
            }
            let calls = try await ecs.stand.call("GET", "/_lab/calls").arrayValue ?? []
            // At its start, each worker also sends harmless requests that show its permissions.
            func count(_ operation: String, with part: String) -> Int {
                calls.count {
                    $0["operation"]?.stringValue == operation && $0["body"]?.stringValue?.contains(part) == true
                }
            }
            #expect(count("RegisterTaskDefinition", with: "\"prefect_\(ecs.bench.pool)_") <= 2)
            #expect(count("RunTask", with: "clientToken") == runs)
        }
    }
}
