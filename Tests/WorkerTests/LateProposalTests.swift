import BackendKit
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@testable import WorkerKit

@Suite("A proposal that the API carries out late", .serialized)
struct LateProposalTests {
    /// Provides a pool and a run. The API resets the connection of the run's first proposal of the state, and the
    /// proposal has no effect before ``carryOut``.
    private func withUnansweredProposal(
        _ name: String, _ body: (FakePrefectAPI, _ run: String, FakeBackend, _ directory: String) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            api.onRequest { request in
                guard request.path == "/flow_runs/\(run)/set_state", request.body["state"]?["name"] == .string(name),
                    proposals(api, name, of: run).count == 1
                else { return nil }
                return .reset
            }
            try await body(api, run, FakeBackend(), directory.path)
        }
    }

    private func proposals(_ api: FakePrefectAPI, _ name: String, of run: String) -> [RecordedRequest] {
        api.requests("POST", "/flow_runs/\(run)/set_state").filter { $0.body["state"]?["name"] == .string(name) }
    }

    /// Sends the first, unanswered proposal once more.
    private func carryOut(_ name: String, _ api: FakePrefectAPI, of run: String) async throws {
        let first = try #require(proposals(api, name, of: run).first)
        func count() -> Int { api.stateHistory(of: run).count { $0 == name } }
        let before = count()
        try await PrefectServerClient(url: api.url).call("POST", first.path, first.body)
        // The worker may already have undone the state, so the check uses the history.
        #expect(count() == before + 1)
    }

    private func waitUntilRunning(_ run: String, _ api: FakePrefectAPI) async throws {
        try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
        api.setState(of: run, to: .running)
    }

    @Test(
        "a late proposal is undone when its run has ended, whether the flow or the worker reported the end",
        arguments: ["Pending", "Submitting"], [0, 3])
    func afterTheEnd(name: String, code: Int) async throws {
        try await withUnansweredProposal(name) { api, run, backend, _ in
            try await withWorker(api, backend: backend) { subject in
                try await waitUntilRunning(run, api)
                if code == 0 { api.setState(of: run, to: .completed) }
                backend.finish(run, ExitStatus(code: code))
                try await subject.waitUntilIdle()
                let end = try #require(api.run(run)?.state)
                #expect(end.type == (code == 0 ? .completed : .crashed))
                try await carryOut(name, api, of: run)
                try await api.waitUntil("the end of the run is restored") { $0.run(run)?.stateType == end.type }
                #expect(api.run(run)?.state?.message == end.message)
                #expect(backend.started == [run])
            }
        }
    }

    @Test("a late proposal before the end of the run's process is not mistaken for the run's state")
    func beforeTheReport() async throws {
        try await withUnansweredProposal("Pending") { api, run, backend, _ in
            try await withWorker(api, backend: backend) { subject in
                try await waitUntilRunning(run, api)
                api.setState(of: run, to: .completed)
                try await carryOut("Pending", api, of: run)
                backend.finish(run, ExitStatus(code: 0))
                try await api.waitUntil("the end of the run is restored") { $0.run(run)?.stateType == .completed }
                try await subject.waitUntilIdle()
                #expect(!api.stateHistory(of: run).contains("Crashed"))
            }
        }
    }

    @Test("a report of pending infrastructure that the API carries out after the run's end is undone")
    func pendingInfrastructure() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let backend = FakeBackend { script in
                script.beforeStart = { #expect(await $0.reporter.reportPending("there is no machine yet")) }
            }
            api.onRequest { request in
                // The run ends while the API carries out the report.
                if request.path == "/flow_runs/\(run)/set_state",
                    request.body["state"]?["name"] == "InfrastructurePending"
                {
                    api.setState(of: run, to: .completed)
                }
                return nil
            }
            try await withWorker(api, backend: backend) { subject in
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                #expect(api.stateHistory(of: run).contains("InfrastructurePending"))
                #expect(api.run(run)?.stateType == .completed)
                backend.finish(run, ExitStatus(code: 0))
                try await subject.waitUntilIdle()
            }
        }
    }

    @Test("a late proposal is undone for one run although the API refuses this for another run")
    func refused() async throws {
        try await withPool { api, deployment in
            let runs = api.scheduleRuns(2, deployment: deployment)
            api.onRequest { request in
                guard let run = runs.first(where: { request.path == "/flow_runs/\($0)/set_state" }) else { return nil }
                if request.body["force"] == true, run == runs[0] { return .status(422) }
                let isClaim = request.body["state"]?["name"] == "Pending"
                let isFirst = isClaim && proposals(api, "Pending", of: run).count == 1
                return isFirst ? .reset : nil
            }
            try await withWorker(api) { subject in
                for run in runs { try await waitUntilRunning(run, api) }
                for run in runs { subject.backend.finish(run, ExitStatus(code: 3)) }
                try await subject.waitUntilIdle()
                for run in runs { try await carryOut("Pending", api, of: run) }
                try await api.waitUntil("the end of the other run is restored") {
                    $0.run(runs[1])?.stateType == .crashed
                }
                try await eventually("the refusal is logged") { subject.log.contains("could not be restored") }
                #expect(api.run(runs[0])?.stateType == .pending)
            }
        }
    }

    @Test("a run that has been given back starts again despite a late proposal")
    func givenBack() async throws {
        try await withUnansweredProposal("Pending") { api, run, backend, _ in
            try await withWorker(api, backend: backend) { subject in
                try await waitUntilRunning(run, api)
                // The pause prevents a poll from taking the run before the late proposal is carried out.
                api.setPaused(true, pool: "p")
                // The run reschedules itself, as an engine does on SIGTERM.
                api.setState(of: run, to: .scheduled)
                backend.finish(run, ExitStatus(code: 0))
                try await subject.waitUntilIdle()
                try await carryOut("Pending", api, of: run)
                try await api.waitUntil("the run is scheduled again") { $0.run(run)?.stateType == .scheduled }
                api.setPaused(false, pool: "p")
                try await eventually("the run has started again") { backend.startCount == 2 }
            }
        }
    }

    @Test("a late proposal is undone by the next process of the worker")
    func afterARestart() async throws {
        try await withUnansweredProposal("Pending") { api, run, backend, directory in
            try await withWorker(api, backend: backend, stateDirectory: directory) { subject in
                try await waitUntilRunning(run, api)
                backend.finish(run, ExitStatus(code: 3))
                try await subject.waitUntilIdle()
                #expect(subject.services.ledger.entries.isEmpty)
            }
            #expect(try RunLedger.entries(inDirectory: directory).isEmpty)
            try await carryOut("Pending", api, of: run)
            try await withWorker(api, backend: backend, stateDirectory: directory) { _ in
                try await api.waitUntil("the end of the run is restored") { $0.run(run)?.stateType == .crashed }
            }
            #expect(backend.started == [run])
        }
    }

    @Test("a run whose proposals were all answered causes no look for late proposals")
    func noDoubt() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            try await withWorker(api, serve: { $0.cancellationPollInterval = .seconds(60) }) { subject in
                try await waitUntilRunning(run, api)
                subject.backend.finish(run, ExitStatus(code: 3))
                try await subject.waitUntilIdle()
                #expect(subject.services.ledger.uncertain.isEmpty)
            }
            #expect(api.requests("POST", "/flow_runs/filter").isEmpty)
        }
    }

    @Test("a late proposal is recognized from the run's states alone, in any order")
    func overwritten() throws {
        let transitions = ClaimIDs(claim: "c", submission: "s")
        func state(_ type: String, _ second: Int, by transition: String? = nil) throws -> State {
            let json: JSONValue = [
                "type": .string(type), "timestamp": .string("2026-01-01T00:00:0\(second)Z"),
                "state_details": ["transition_id": JSONValue(transition)],
            ]
            return State(unchecked: json.objectValue ?? [:])
        }
        let planned = try state("SCHEDULED", 0)
        let claim = try state("PENDING", 1, by: "c")
        let again = try state("PENDING", 2, by: "c")
        let running = try state("RUNNING", 3)
        let end = try state("CRASHED", 4)
        let anew = try state("SCHEDULED", 5)
        #expect(transitions.overwrittenState(in: [end, planned, again, claim, running]) == end)
        #expect(transitions.overwrittenState(in: [end, planned, again, claim, running, anew]) == anew)
        #expect(transitions.overwrittenState(in: [planned, again, claim, running]) == nil)
        #expect(transitions.overwrittenState(in: [planned, claim, again]) == nil)
        // The end of an earlier attempt does not count as the end of this one.
        #expect(try transitions.overwrittenState(in: [end, anew, state("PENDING", 6, by: "s")]) == nil)
        #expect(transitions.overwrittenState(in: []) == nil)
    }
}
