import BackendKit
import JobTemplates
import Logging
import PrefectClient
import PrefectJSON
import TestSupport
import Testing
import WorkerKit

@Suite("A flow run from the poll to its report", .serialized)
struct RunLifecycleTests {
    @Test("a run's end is reported although its labels are refused, and the run is held until they are accepted")
    func labelsLast() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let refused = api.script(path: "/flow_runs/\(run)/labels", answer: .status(503))
            try await withWorker(api) { subject in
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                subject.backend.finish(run, ExitStatus(code: 3))
                try await api.waitUntil("the crash is reported") { $0.run(run)?.stateType == .crashed }
                #expect(subject.worker.registry.contains(run))
                refused.end()
                try await subject.waitUntilIdle()
                #expect(api.run(run)?.labels["prefect.worker.name"] == "tester")
            }
        }
    }

    @Test("a run that reports its own end is claimed, started, labelled and watched, and keeps its state")
    func completes() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment, name: "lucky-cat", tags: ["own"])
            try await withWorker(api) { subject in
                try await api.waitUntil("the infrastructure is recorded") {
                    $0.run(run)?.infrastructurePID == "fake:\(run)" && !$0.requests("PATCH", "*/labels").isEmpty
                }
                api.setState(of: run, to: .running)
                api.setState(of: run, to: .completed)
                subject.backend.finish(run, .reported("COMPLETED"))
                try await subject.waitUntilIdle()
                #expect(api.stateHistory(of: run) == ["Scheduled", "Pending", "Submitting", "Running", "Completed"])
                let calls = subject.backend.calls
                #expect(calls == [.start(run), .wait(run), .cleanUp(run)])
                let labels = api.run(run)?.labels
                #expect(labels?["prefect.worker.name"] == "tester")
                #expect(labels?["prefect.worker.type"] == "process")
                #expect(labels?["prefect.work-pool.name"] == "p")
                #expect(labels?["prefect.work-pool.id"]?.stringValue == api.pool("p")?.id)
                let context = try #require(subject.backend.contexts.first)
                #expect(context.workerName == "tester")
                #expect(context.flow?["name"] == "my-flow")
                #expect(context.deployment?["name"] == "my-deployment")
            }
        }
    }

    @Test("a non-zero exit is a crash with a hint and the last output without secrets, and the hooks run")
    func crashes() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let backend = FakeBackend {
                $0.immediateEnd = { _ in ExitStatus(code: 137, lastOutput: "first\nkey top-secret is bad\n") }
            }
            try await withWorker(api, backend: backend) { subject in
                try await api.waitUntil("the run has crashed") { $0.run(run)?.stateType == .crashed }
                let message = try #require(api.run(run)?.state?.message)
                #expect(message.contains("exited with non-zero status code 137"))
                #expect(message.contains("memory"))
                #expect(message.contains("Last output: key ******** is bad"))
                try await api.waitUntil("the log has the hint and the output") { state in
                    let lines = state.logMessages(of: run)
                    return lines.contains { $0.contains("Give the flow run's infrastructure more memory") }
                        && lines.contains { $0.contains("first\nkey ******** is bad") }
                }
                #expect(!api.logs.contains { $0.serialized().contains("top-secret") })
                try await subject.waitUntilIdle()
                #expect(
                    subject.backend.calls.filter { if case .hooks = $0 { true } else { false } }
                        == [.hooks(.crashed, stateType: "CRASHED", run)])
                #expect(subject.backend.calls.last == .cleanUp(run))
            }
        }
    }

    @Test("an end that no worker observed is reported as a crash with this reason")
    func unseenEnd() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let backend = FakeBackend { $0.immediateEnd = { _ in ExitStatus(code: nil) } }
            try await withWorker(api, backend: backend) { _ in
                try await api.waitUntil("the run has crashed") { $0.run(run)?.stateType == .crashed }
                #expect(api.run(run)?.state?.message?.contains("while no worker was watching") == true)
            }
        }
    }

    @Test(
        "an end without a final state crashes a run of the flow engine, but not a run of another command",
        arguments: [true, false])
    func silentEnd(runsFlowEngine: Bool) async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let backend = FakeBackend {
                $0.runsFlowEngine = runsFlowEngine
                $0.beforeStart = { _ in api.setState(of: run, to: .running) }
                $0.immediateEnd = { _ in ExitStatus(code: 0) }
            }
            try await withWorker(api, backend: backend) { subject in
                try await eventually("the run has ended") { subject.backend.calls.contains(.cleanUp(run)) }
                #expect(api.run(run)?.stateType == (runsFlowEngine ? .crashed : .running))
            }
        }
    }

    @Test("a run that sets its final state before a silent exit keeps this state")
    func silentAfterCompletion() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let backend = FakeBackend {
                $0.beforeStart = { _ in api.setState(of: run, to: .completed) }
                $0.immediateEnd = { _ in ExitStatus(code: 0) }
            }
            try await withWorker(api, backend: backend) { subject in
                try await eventually("the run has ended") { subject.backend.calls.contains(.cleanUp(run)) }
                #expect(api.stateHistory(of: run).last == "Completed")
                #expect(
                    !api.requests("POST", "/flow_runs/*/set_state").contains { $0.body["state"]?["type"] == "CRASHED" })
            }
        }
    }

    @Test("infrastructure that cannot be created is reported as a crash with the remedy for its exit code")
    func startFails() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let backend = FakeBackend {
                $0.beforeStart = { _ in
                    throw InfrastructureError(.refused, "the command 'flwo' was not found", exitCode: 127)
                }
            }
            try await withWorker(api, backend: backend) { subject in
                try await api.waitUntil("the run has crashed") { $0.run(run)?.stateType == .crashed }
                let message = "Failed to submit flow run to infrastructure: the command 'flwo' was not found"
                #expect(api.run(run)?.state?.message == message)
                try await api.waitUntil("the log has the remedy") {
                    $0.logMessages(of: run).contains { $0.contains("PATH") }
                }
                try await subject.waitUntilIdle()
            }
        }
    }

    @Test("a lost connection to the infrastructure is not reported as a crash")
    func waitFails() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let backend = FakeBackend { $0.waitError = InfrastructureError(.unavailable, "the engine is away") }
            try await withWorker(api, backend: backend) { subject in
                try await eventually("the worker has given up the run") {
                    subject.log.contains("the engine is away", level: .error)
                }
                try await subject.waitUntilIdle()
                #expect(api.run(run)?.stateName == "Submitting")
            }
        }
    }

    @Test("a template error names the path and fails only its run")
    func templateError() async throws {
        let template: JSONValue = [
            "job_configuration": ["command": "{{ command }}", "env": "{{ env }}", "labels": ["a": "{{ label }}"]],
            "variables": [
                "type": "object",
                "properties": [
                    "command": ["type": "string"], "env": ["type": "object"], "label": ["type": "string"],
                ],
            ],
        ]
        try await withPool(template: template) { api, deployment in
            let bad = api.scheduleRun(deployment: deployment, jobVariables: ["label": ["not", "a", "string"]])
            let good = api.scheduleRun(deployment: deployment, jobVariables: ["label": "text"])
            try await withWorker(api) { subject in
                try await api.waitUntil("the bad run has crashed and the good run has started") {
                    $0.run(bad)?.stateType == .crashed && $0.run(good)?.infrastructurePID != nil
                }
                #expect(api.run(bad)?.state?.message?.contains("job_configuration.labels.a") == true)
                #expect(subject.backend.started == [good])
            }
        }
    }

    @Test("a missing block fails only its run, and an existing block is resolved")
    func blocks() async throws {
        try await withPool { api, deployment in
            api.addBlock(type: "secret", name: "there", data: ["value": "from-block"])
            api.addVariable(name: "greeting", value: "hello")
            let bad = api.scheduleRun(
                deployment: deployment, jobVariables: ["command": "{{ prefect.blocks.secret.missing }}"])
            let good = api.scheduleRun(
                deployment: deployment,
                jobVariables: ["command": "{{ prefect.blocks.secret.there }} {{ prefect.variables.greeting }}"])
            let backend = FakeBackend {
                $0.beforeStart = { job in
                    guard job.base.command == "from-block hello" else {
                        throw InfrastructureError(.refused, "wrong command")
                    }
                }
            }
            try await withWorker(api, backend: backend) { subject in
                try await api.waitUntil("the bad run has crashed and the good run has started") {
                    $0.run(bad)?.stateType == .crashed && $0.run(good)?.infrastructurePID != nil
                }
                let message = try #require(api.run(bad)?.state?.message)
                #expect(message.contains("job_configuration.command"))
                #expect(message.contains("prefect.blocks.secret.missing"))
                #expect(subject.backend.started == [good])
            }
        }
    }

    @Test("a run whose deployment no longer exists is cancelled")
    func deploymentGone() async throws {
        try await withPool { api, deployment in
            let gone = api.scheduleRun(deployment: deployment)
            api.removeDeploymentAlone(deployment)
            try await withWorker(api) { subject in
                try await api.waitUntil("the run is cancelled") { $0.run(gone)?.stateType == .cancelled }
                #expect(api.run(gone)?.state?.message == "Deployment \(deployment.id) no longer exists, cancelled run.")
                try await subject.waitUntilIdle()
                #expect(subject.backend.started.isEmpty)
            }
        }
    }

    @Test("a run whose deployment is deleted after the claim is also cancelled")
    func deploymentGoneLater() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            api.script(method: "GET", path: "/deployments/*", answer: .status(404, body: ["detail": "gone"]))
            try await withWorker(api) { subject in
                try await api.waitUntil("the run is cancelled") { $0.run(run)?.stateType == .cancelled }
                #expect(subject.backend.started.isEmpty)
            }
        }
    }

    @Test("the infrastructure's identifier is recorded after a temporary failure of the API")
    func identifierRecordedLater() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let script = api.script(method: "PATCH", path: "/flow_runs/\(run)", answer: .status(500))
            try await withWorker(api, retryPolicy: RetryPolicy(maxRetries: 1)) { _ in
                try await eventually("the request has been retried") { script.uses >= 5 }
                script.end()
                try await api.waitUntil("the identifier is recorded") {
                    $0.run(run)?.infrastructurePID == "fake:\(run)"
                }
            }
        }
    }

    @Test("a crash is reported after a temporary failure of the API")
    func crashReportedLater() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            try await withWorker(api, retryPolicy: RetryPolicy(maxRetries: 1)) { subject in
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                let script = api.script(method: "POST", path: "*/set_state", answer: .status(500))
                subject.backend.finish(run, ExitStatus(code: 1))
                try await eventually("the request has been retried") { script.uses >= 5 }
                script.end()
                try await api.waitUntil("the run has crashed") { $0.run(run)?.stateType == .crashed }
            }
        }
    }

    @Test(
        "a run that is deleted at any stage ends without a logged error",
        arguments: ["claim", "submit", "running", "exited", "silent"])
    func deleted(stage: String) async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let gone = Fault.status(404, body: ["detail": "There is no such flow run."])
            switch stage {
            case "claim": api.script(method: "POST", path: "/flow_runs/\(run)/set_state", answer: gone)
            case "submit":
                api.onRequest { request in
                    request.body["state"]?["name"] == "Submitting" ? gone : nil
                }
            default: break
            }
            try await withWorker(api) { subject in
                if ["claim", "submit"].contains(stage) {
                    try await eventually("the worker drops the run") { subject.log.contains("was deleted before") }
                    #expect(subject.backend.started.isEmpty)
                } else {
                    try await api.waitUntil("the run has started") {
                        $0.run(run)?.infrastructurePID != nil && !$0.requests("PATCH", "*/labels").isEmpty
                    }
                    api.script(path: "/flow_runs/\(run)*", answer: gone)
                    subject.backend.finish(run, ExitStatus(code: stage == "silent" ? 0 : 1))
                    try await subject.waitUntilIdle()
                    #expect(subject.backend.calls.last == .cleanUp(run))
                }
                #expect(subject.log.messages(.error).isEmpty)
            }
        }
    }
}
