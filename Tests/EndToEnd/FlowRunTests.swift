import PrefectJSON
import TestSupport
import Testing

@Suite("Flow runs, from end to end", .requires(.prefectServer), .bounded)
struct FlowRunTests {
    @Test("a completed flow has all reports: states, logs, labels, process and events")
    func completes() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let run = try await server.createRun(
                deployment: bench.deploy("succeed"), parameters: ["word": "plover"], name: "first-run")
            let worker = "Bench Worker \(TestBench.unique())"
            let lines = try await bench.withWorker(name: worker) { worker in
                try await server.waitForRun(run, toBe: ["Completed"])
                try await worker.waitForLine(containing: "printed plover")
                // These reports reach the API at different times.
                try await eventually(within: .seconds(90), "the worker has reported the run and its end") {
                    let known = try await server.flowRun(run)
                    guard known["labels"]?["prefect.worker.name"]?.stringValue != nil,
                        known["infrastructure_pid"]?.stringValue != nil
                    else { return false }
                    return try await !server.events(
                        named: ["prefect.worker.executed-flow-run"], resource: "prefect.flow-run.\(run)"
                    ).isEmpty
                }
                return worker.output
            }
            #expect(lines.contains("printed plover"))
            let done = try await server.flowRun(run)
            #expect(done["infrastructure_pid"]?.stringValue == bench.notes("pid").first)
            let pool = try await server.pool(bench.pool)
            let labels = done["labels"]
            #expect(labels?["prefect.worker.name"]?.stringValue == worker)
            #expect(labels?["prefect.worker.type"] == "process")
            #expect(labels?["prefect.work-pool.name"]?.stringValue == bench.pool)
            #expect(labels?["prefect.work-pool.id"] == pool["id"])
            // The server gives a run that has waited for long the name Late.
            let history = try await server.stateHistory(of: run).filter { $0 != "Late" }
            #expect(history == ["Scheduled", "Pending", "Submitting", "Running", "Completed"])
            let logs = try await server.logs(of: run)
            #expect(logs.contains("the word is plover"))
            #expect(logs.contains { $0.contains("'\(worker)' submitting flow run") })
            #expect(logs.contains { $0.contains("'first-run' submitted to infrastructure") })
            try await expectEvents(of: run, by: worker, bench)
            #expect(bench.survivors() == [])
        }
    }

    /// Expects the four events of a worker that ran one flow run.
    private func expectEvents(of run: String, by worker: String, _ bench: TestBench) async throws {
        let slug = worker.lowercased().split(separator: " ").joined(separator: "-")
        let names = ["started", "submitted-flow-run", "executed-flow-run", "stopped"].map { "prefect.worker.\($0)" }
        var found: [String: JSONValue] = [:]
        try await eventually("the server has the worker's events", every: .milliseconds(200)) {
            let events = try await bench.server.events(named: names, resource: "prefect.worker.process.\(slug)")
            #expect(events.count <= names.count)
            for event in events { found[event["event"]?.stringValue ?? ""] = event }
            return found.count == names.count
        }
        for name in names {
            #expect(found[name]?["resource"]?["prefect.resource.name"]?.stringValue == worker)
            #expect(found[name]?["resource"]?["prefect.worker-type"] == "process")
        }
        let executed = try #require(found[names[2]])
        #expect(executed["follows"] == found[names[1]]?["id"])
        let related = executed["related"]?.arrayValue ?? []
        let flowRun = related.first { $0["prefect.resource.id"]?.stringValue == "prefect.flow-run.\(run)" }
        #expect(flowRun?["prefect.infrastructure.status-code"] == "0")
        #expect(flowRun?["prefect.infrastructure.identifier"]?.stringValue == bench.notes("pid").first)
        #expect(related.contains { $0["prefect.resource.role"] == "work-pool" })
    }

    @Test("a failing flow is Failed; an exiting or killed flow is Crashed, with the reason and one hook call")
    func fails() async throws {
        try await withTestBench { bench in
            let server = bench.server
            var runs: [String] = []
            for flow in ["fail", "exit_seven", "kill_itself"] {
                runs.append(try await server.createRun(deployment: bench.deploy(flow)))
            }
            let (failed, exited, killed) = (runs[0], runs[1], runs[2])
            try await bench.withWorker { worker in
                try await server.waitForRun(failed, toBe: ["Failed", "Crashed"])
                let crash = try await server.waitForRun(exited, toBe: ["Failed", "Crashed"])
                let message = crash["state"]?["message"]?.stringValue ?? ""
                #expect(message.contains("exited with non-zero status code 7"))
                #expect(message.contains("unexpected status code"))
                let kill = try await server.waitForRun(killed, toBe: ["Failed", "Crashed"])
                let reason = kill["state"]?["message"]?.stringValue ?? ""
                #expect(reason.contains("-9"))
                #expect(reason.contains("SIGKILL"))
                try await bench.waitForNotes("crashed-hook")
                try await eventually("the logs contain the flow's last lines") {
                    try await server.logs(of: exited).contains { $0.contains("these are the last words") }
                }
                #expect(worker.exitStatus == nil)
            }
            // The hooks are counted here, because no hook can follow any more.
            #expect(bench.notes("crashed-hook") == ["Crashed"])
            #expect(try await server.stateHistory(of: failed).suffix(2) == ["Running", "Failed"])
            #expect(try await server.stateHistory(of: exited).suffix(2) == ["Running", "Crashed"])
            #expect(try await server.stateHistory(of: killed).suffix(2) == ["Running", "Crashed"])
            #expect(bench.survivors() == [])
        }
    }

    @Test("runs of the server's largest size and depth complete, and a too large run crashes without hiding others")
    func large() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let deployment = try await bench.deploy("succeed")
            let tooLarge: JSONValue = ["job_variables": ["note": .string(String(repeating: "x", count: 13 << 20))]]
            let answer = try await server.send("POST", "/deployments/\(deployment)/create_flow_run", tooLarge)
            let beginning = String(decoding: answer.rawBody.prefix(200), as: UTF8.self)
            let crashing = String(try #require(beginning.firstMatch(of: /"id":"([^"]*)"/)).1)
            let deep = (0..<245).reduce(JSONValue.int(1)) { value, _ in .array([value]) }
            let long = JSONValue.array(Array(repeating: 1, count: 250_000))
            let runs = [
                try await server.createRun(
                    deployment: deployment, jobVariables: ["note": deep], parameters: ["word": "much"]),
                try await server.createRun(
                    deployment: deployment, jobVariables: ["note": long], parameters: ["word": "much"]),
            ]
            try await bench.withWorker(["--limit", "1"]) { _ in
                for run in runs { try await server.waitForRun(run, toBe: ["Completed"]) }
                try await eventually(within: .seconds(60), "the run that is too large has crashed") {
                    let states = try await server.call("GET", "/flow_run_states/?flow_run_id=\(crashing)")
                    let messages = (states.arrayValue ?? []).compactMap { $0["message"]?.stringValue }
                    return messages.contains { $0.contains("the flow run is too large or nested too deep") }
                }
            }
        }
    }

    @Test("a suspended flow runs again after its resumption, and a failed flow after its retry; subflows run")
    func comesBack() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let suspended = try await server.createRun(deployment: bench.deploy("suspend"))
            let retried = try await server.createRun(deployment: bench.deploy("fail_once"))
            let parent = try await server.createRun(deployment: bench.deploy("parent"))
            try await bench.withWorker { _ in
                try await server.waitForRun(suspended, toBe: ["Suspended", "Crashed", "Failed"])
                try await server.call("POST", "/flow_runs/\(suspended)/resume")
                try await server.waitForRun(retried, toBe: ["Failed"])
                try await server.setState(of: retried, to: "SCHEDULED", name: "AwaitingRetry")
                try await server.waitForRun(parent, toBe: ["Completed"])
                try await server.waitForRun(retried, toBe: ["Completed"])
                try await server.waitForRun(suspended, toBe: ["Completed"])
            }
            #expect(bench.notes("attempts").count == 2)
            #expect(bench.notes("resumed").count == 1)
            #expect(bench.notes("tries").count == 2)
            #expect(bench.notes("children") == ["1", "2"])
            for run in [suspended, retried, parent] {
                let history = try await server.stateHistory(of: run)
                #expect(!history.contains("Crashed"), "\(history)")
            }
        }
    }

    @Test("a run that is due later starts at its time, not earlier and less than two seconds later")
    func startsInTime() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let deployment = try await bench.deploy("clock")
            // All runs are claimed at once, so the last run's process has begun long before its time.
            try await bench.withWorker(["--prefetch-seconds", "100"]) { worker in
                try await worker.waitForLine(containing: "started")
                var runs: [String] = []
                for delay in [30, 40, 50] {
                    runs.append(try await server.createRun(deployment: deployment, after: .seconds(delay)))
                }
                var due: [Double] = []
                for run in runs {
                    let done = try await server.waitForRun(
                        run, toBe: ["Completed", "Crashed"], within: .seconds(120))
                    #expect(done["state_name"] == "Completed")
                    due.append(try Self.seconds(since1970: #require(done["expected_start_time"]?.stringValue)))
                }
                let began = bench.notes("time").compactMap { Double($0) }
                #expect(began.count == runs.count)
                let lates = zip(began.sorted(), due.sorted()).map { $0 - $1 }
                // The server rounds the wait of a flow to whole seconds. On a busy machine a flow may be late for other
                // reasons, so only the smallest delay counts.
                #expect(lates.allSatisfy { $0 > -0.5 } && (lates.min() ?? 99) < 2, "they began \(lates) s late")
            }
        }
    }
}
