import JSON
import TestSupport
import Testing

@Suite("Flow runs, from end to end", .requires(.prefectServer), .bounded)
struct FlowRunTests {
    @Test("a flow that completes is told about in full: states, logs, labels, process and events")
    func completes() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let run = try await server.createRun(
                deployment: bench.deploy("succeed"), parameters: ["word": "plover"], name: "first-run")
            let worker = "Bench Worker \(TestBench.unique())"
            let lines = try await bench.withWorker(name: worker) { worker in
                try await server.waitForRun(run, toBe: ["Completed"])
                try await worker.waitForLine(containing: "printed plover")
                try await eventually(within: .seconds(90), "the worker has told the run's end") {
                    try await !server.events(
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
            #expect(
                try await server.stateHistory(of: run) == [
                    "Scheduled", "Pending", "Submitting", "Running", "Completed",
                ]
            )
            let logs = try await server.logs(of: run)
            #expect(logs.contains("the word is plover"))
            #expect(logs.contains { $0.contains("'\(worker)' submitting flow run") })
            #expect(logs.contains { $0.contains("'first-run' submitted to infrastructure") })
            try await expectEvents(of: run, by: worker, bench)
            #expect(bench.survivors() == [])
        }
    }

    /// The four events of a worker that ran one flow run.
    private func expectEvents(of run: String, by worker: String, _ bench: TestBench) async throws {
        let slug = worker.lowercased().split(separator: " ").joined(separator: "-")
        let names = ["started", "submitted-flow-run", "executed-flow-run", "stopped"].map { "prefect.worker.\($0)" }
        var found: [String: JSONValue] = [:]
        try await eventually("the worker's events are there", every: .milliseconds(200)) {
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

    @Test("a flow that fails is Failed, one that exits or is killed is Crashed, with the reason and its hooks once")
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
                try await eventually("the logs tell the flow's last words") {
                    try await server.logs(of: exited).contains { $0.contains("these are the last words") }
                }
                #expect(worker.exitStatus == nil)
            }
            // Only now, when nothing can follow any more.
            #expect(bench.notes("crashed-hook") == ["Crashed"])
            #expect(try await server.stateHistory(of: failed).suffix(2) == ["Running", "Failed"])
            #expect(try await server.stateHistory(of: exited).suffix(2) == ["Running", "Crashed"])
            #expect(try await server.stateHistory(of: killed).suffix(2) == ["Running", "Crashed"])
            #expect(bench.survivors() == [])
        }
    }

    @Test("a suspended flow is taken again when it is resumed, a failed one when it is retried; subflows run")
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

    @Test("a run that is due later starts when it is due: not before, and not two seconds after")
    func startsInTime() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let deployment = try await bench.deploy("clock")
            // Long enough before for the flow's own start on a busy machine.
            try await bench.withWorker(["--prefetch-seconds", "20"]) { worker in
                try await worker.waitForLine(containing: "started")
                let run = try await server.createRun(deployment: deployment, after: .seconds(20))
                let done = try await server.waitForRun(run, toBe: ["Completed", "Crashed"])
                #expect(done["state_name"] == "Completed")
                let due = try #require(done["expected_start_time"]?.stringValue)
                let began = try #require(bench.notes("time").first.flatMap { Double($0) })
                let late = began - (try Self.seconds(since1970: due))
                // The server rounds the time that it lets a flow wait to whole seconds.
                #expect((-0.5..<2).contains(late), "it began \(late) s after it was due")
            }
        }
    }
}
