import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@Suite("The commands pause, resume and drain", .bounded)
struct ControlCommandTests {
    /// A worker of the pool `p`, and the commands that find it by the environment of its user.
    private struct Subject {
        let api: FakePrefectAPI
        let deployment: FakeDeployment
        let directory: String
        let worker: ChildProcess

        func run(_ arguments: String...) async throws -> WorkerProgram.Outcome {
            try await WorkerProgram.run(
                arguments, environment: WorkerProgram.environment(home: directory, ["PREFECT_API_URL": api.url]),
                in: directory)
        }
    }

    /// Runs a worker, and a flow run that ends when the file `go` exists.
    private func withRun(_ body: (Subject) async throws -> Void) async throws {
        try await withFakePrefectAPI { api in
            let pool = api.addPool(name: "p", template: FakePrefectAPI.processTemplate)
            let flow = api.addFlow(name: "f")
            try await withTemporaryDirectory { directory in
                let deployment = api.addDeployment(
                    name: "d", flow: flow, pool: pool,
                    jobVariables: [
                        "command": "sh -c 'echo begun; until test -e go; do sleep 0.05; done'",
                        "working_dir": .string(directory),
                    ])
                let environment = WorkerProgram.environment(
                    home: directory,
                    [
                        "PREFECT_API_URL": api.url, "PREFECT_WORKER_QUERY_SECONDS": "1",
                        "PREFECT_WORKER_DRAIN_TIMEOUT_SECONDS": "1",
                    ])
                try await withChildProcess(
                    WorkerProgram.path, ["start", "--pool", "p", "--name", "w", "--python", "none"],
                    environment: environment, workingDirectory: directory
                ) { worker in
                    try await worker.waitForLine(containing: "started")
                    api.scheduleRun(deployment: deployment)
                    try await worker.waitForLine(containing: "begun")
                    try await body(Subject(api: api, deployment: deployment, directory: directory, worker: worker))
                }
            }
        }
    }

    @Test("pause and resume change the running worker, and drain ends it with status 0 after its last run")
    func commands() async throws {
        try await withRun { subject in
            let paused = try await subject.run("pause")
            #expect(paused.status == .exited(0), "\(paused.text)")
            #expect(paused.output.count == 1 && paused.text.contains("'w'") && paused.text.contains("paused"))
            try await subject.worker.waitForLine(containing: "Paused: claiming no flow runs")
            let waiting = subject.api.scheduleRun(deployment: subject.deployment)

            let resumed = try await subject.run("resume", "--name", "w")
            #expect(resumed.status == .exited(0), "\(resumed.text)")
            try await subject.worker.waitForLine(containing: "Resumed")
            try await subject.api.waitUntil("the waiting run has started") {
                $0.run(waiting)?.infrastructurePID != nil
            }

            let drained = try await subject.run("drain")
            #expect(drained.status == .exited(0), "\(drained.text)")
            let again = try await subject.run("resume")
            #expect(again.status == .exited(1) && again.errors.count == 1, "\(again.text)")
            #expect(again.text.contains("claims no more flow runs"))
            // The time limit of a shutdown, which is one second, does not apply.
            #expect(subject.worker.errors.allSatisfy { !$0.contains("stopping") }, "\(subject.worker.summary)")
            try TestFile.write("", to: subject.directory + "/go")
            #expect(try await subject.worker.waitForExit(timeout: .seconds(60)) == .exited(0))
            let none = try await subject.run("pause")
            #expect(none.status == .exited(1) && none.text.contains("No worker answers"), "\(none.text)")
        }
    }

    @Test("with several workers, a command names them and wants a choice; a worker that does not answer is an error")
    func several() async throws {
        try await withRun { subject in
            let environment = WorkerProgram.environment(home: subject.directory, ["PREFECT_API_URL": subject.api.url])
            try await withChildProcess(
                WorkerProgram.path, ["start", "--pool", "p", "--name", "w2", "--python", "none"],
                environment: environment, workingDirectory: subject.directory
            ) { other in
                try await other.waitForLine(containing: "started")
                let unclear = try await subject.run("pause")
                #expect(unclear.status == .exited(1) && unclear.errors.count == 1, "\(unclear.text)")
                for part in ["'w'", "'w2'", "--name", "--state-dir"] {
                    #expect(unclear.text.contains(part), "\(unclear.text)")
                }
                let one = try await subject.run("pause", "--name", "w2")
                #expect(one.status == .exited(0), "\(one.text)")
                try await other.waitForLine(containing: "Paused")
                let all = try await subject.run("pause", "--all")
                #expect(all.status == .exited(0) && all.output.count == 2, "\(all.text)")
                try await subject.worker.waitForLine(containing: "Paused")

                other.send(.stop)
                let silent = try await subject.run("resume", "--all")
                other.send(.resume)
                #expect(silent.status == .exited(1) && silent.errors.count == 1 && silent.output.count == 1)
                #expect(silent.text.contains("/control'") && silent.text.contains("cannot be reached"))
            }
        }
    }
}
