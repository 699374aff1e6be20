import BackendKit
import BackendKitTesting
import Foundation
import PrefectJSON
import TestSupport
import Testing

@testable import ProcessBackend

/// The requirements of the tests against a real Prefect: an API, and a Python that can import Prefect.
private enum Prefect {
    static let environment = ProcessInfo.processInfo.environment

    static let python: String? = {
        guard environment["PREFECT_API_URL"] != nil,
            case .python(let path) = Interpreter(choice: nil, environment: environment)
        else { return nil }
        let process = try? Launcher.spawn(
            Launcher.Request(
                executable: path,
                arguments: [path, "-c", "import importlib.util as u, sys; sys.exit(u.find_spec('prefect') is None)"],
                environment: environment, directory: "/"))
        guard let process else { return nil }
        var status: Int32 = 0
        return waitpid(process.pid, &status, 0) == process.pid && status == 0 ? path : nil
    }()
}

@Suite(
    .serialized,
    .enabled(if: Prefect.python != nil, "needs PREFECT_API_URL, and a python on the PATH that can import prefect"))
struct EndToEndTests {
    private static let flow = """
        import asyncio, os, signal, time
        from prefect import flow

        def mark(name):
            with open(os.environ["T"] + "/" + name, "a") as file:
                file.write("x")

        def broken(flow, flow_run, state):
            mark("broken")
            raise ValueError("this hook is broken")

        def plain(flow, flow_run, state):
            asyncio.run(asyncio.sleep(0))
            mark(f"plain-{flow.name}-{state.name}-{flow_run.id}")

        async def modern(flow, flow_run, state):
            await asyncio.sleep(0)
            mark("modern-" + state.type.value)

        @flow(on_cancellation=[broken, plain, modern], on_crashed=[broken, plain, modern])
        def hooked():
            mode = os.environ["MODE"]
            if mode == "fail":
                raise RuntimeError("as asked")
            if mode == "stubborn":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            mark("running")
            while mode != "complete":
                time.sleep(0.05)

        @flow
        def bare():
            pass
        """

    /// Runs a script that calls the API with the HTTP client of Prefect's own dependencies, and returns its result.
    private func api(_ bench: Workbench, _ script: String) async throws -> JSONValue {
        let program = """
            import httpx, json, os, time
            client = httpx.Client(base_url=os.environ["PREFECT_API_URL"], timeout=120)
            def call(method, path, body):
                # A server on SQLite that is busy answers 503.
                for attempt in range(20):
                    response = client.request(method, path, json=body)
                    if response.status_code != 503:
                        break
                    time.sleep(0.2)
                response.raise_for_status()
                return response.json() if response.content else None
            def post(path, /, **body):
                return call("POST", path, body)
            def get(path, /):
                return call("GET", path, None)
            def result():
            \(script.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n"))
            with open(os.environ["T"] + "/answer", "w") as file:
                json.dump(result(), file)
            """
        let job = try bench.job(
            "\(Prefect.python ?? "") -c \(shellQuoted(program))",
            env: Prefect.environment.merging(["T": bench.directory.path]) { $1 })
        let status = try await bench.run(job)
        #expect(status.code == 0, "\(status.lastOutput ?? "")")
        return try JSONValue(parsing: bench.directory.read("answer") ?? "null")
    }

    /// A bench with the file of the flows, and a job for a run of one of them.
    private func prepared(flow: String = "hooked", mode: String, env: [String: String] = [:]) async throws
        -> (Workbench, ProcessWorkload)
    {
        // On a busy machine Prefect's engine may answer a cancel request late, and hooks may take minutes.
        let bench = try Workbench(
            interpreter: Prefect.python, environment: Prefect.environment, hookTimeLimit: .seconds(300),
            cancelPatience: .seconds(10))
        let code = bench.directory.file("code")
        try FileManager.default.createDirectory(atPath: code, withIntermediateDirectories: true)
        _ = try bench.directory.write("code/flows.py", Self.flow)
        let ids = try await api(
            bench,
            """
            flow = post("/flows/", name="\(flow)")
            deployment = post("/deployments/", name="process-backend", flow_id=flow["id"], entrypoint="flows.py:\(flow)",
                path="\(code)")
            run = post("/deployments/" + deployment["id"] + "/create_flow_run", state={"type": "PENDING"})
            return {"run": run["id"], "deployment": deployment["id"]}
            """)
        let run = try #require(ids["run"]?.stringValue)
        let job = try bench.engineJob(
            env: Prefect.environment.merging(
                ["MODE": mode, "T": bench.directory.path, "PREFECT__FLOW_RUN_ID": run]
            ) { $1 }.merging(env) { $1 },
            flowRunID: run, deploymentID: ids["deployment"]?.stringValue)
        return (bench, job)
    }

    private func state(_ bench: Workbench, _ job: ProcessWorkload) async throws -> String? {
        try await api(bench, "return get('/flow_runs/\(job.run.flowRunID)')['state_name']").stringValue
    }

    private func logs(_ bench: Workbench, _ job: ProcessWorkload) async throws -> String {
        try await api(
            bench,
            "return [log['message'] for log in post('/logs/filter', logs={'flow_run_id': {'any_': ['\(job.run.flowRunID)']}})]"
        ).serialized()
    }

    private func running(_ bench: Workbench, _ job: ProcessWorkload) async throws
        -> InfrastructureIdentifier
    {
        let identifier = try await job.start()
        try await eventually(within: .seconds(300), "the flow is running") { bench.directory.read("running") != nil }
        return identifier
    }

    /// Expects that each hook has run once for a state, although one of them is broken.
    private func expectHooks(
        _ bench: Workbench, _ job: ProcessWorkload, name: String, type: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(bench.directory.read("broken") == "x", sourceLocation: sourceLocation)
        #expect(
            bench.directory.read("plain-hooked-\(name)-\(job.run.flowRunID)") == "x", sourceLocation: sourceLocation)
        #expect(bench.directory.read("modern-\(type)") == "x", sourceLocation: sourceLocation)
    }

    @Test("the engine's own report is the conclusion", arguments: [("complete", "COMPLETED"), ("fail", "FAILED")])
    func conclusions(mode: String, type: String) async throws {
        let (bench, job) = try await prepared(mode: mode)
        let status = try await bench.run(job)
        #expect(status.conclusion == .stateReported(type: type, name: type.capitalized))
        #expect(try await state(bench, job) == type.capitalized)
        #expect(bench.directory.read("broken") == nil)
    }

    @Test("a cooperative flow ends orderly when it is cancelled, and the worker handles the state and the hooks")
    func cooperative() async throws {
        let (bench, job) = try await prepared(mode: "wait")
        let identifier = try await running(bench, job)
        _ = try await api(
            bench,
            "return post('/flow_runs/\(job.run.flowRunID)/set_state', state={'type': 'CANCELLING', 'name': 'Cancelling'}, force=True)"
        )
        try await job.stop(identifier, grace: .seconds(60), reason: .cancelled)
        let status = try await job.wait(for: identifier)
        #expect(status.code == 0)
        #expect(status.conclusion == nil)
        #expect(try await state(bench, job) == "Cancelling")
        #expect(bench.directory.read("broken") == nil)
        await job.runHooks(.cancellation, state: ["type": "CANCELLING", "name": "Cancelling"], of: identifier)
        expectHooks(bench, job, name: "Cancelling", type: "CANCELLING")
    }

    @Test("a flow that ignores SIGTERM is killed, and the worker runs its cancellation hooks")
    func stubborn() async throws {
        let (bench, job) = try await prepared(mode: "stubborn")
        let identifier = try await running(bench, job)
        try await job.stop(identifier, grace: .milliseconds(500), reason: .cancelled)
        let status = try await job.wait(for: identifier)
        #expect(status.code == -9)
        #expect(status.conclusion == nil)
        await job.runHooks(.cancellation, state: ["type": "CANCELLING", "name": "Cancelling"], of: identifier)
        expectHooks(bench, job, name: "Cancelling", type: "CANCELLING")
        #expect(bench.reporter.messages.isEmpty, "\(bench.reporter.messages)")
    }

    @Test("the worker runs the crash hooks of a killed flow, and the run's log reports them")
    func crashed() async throws {
        let (bench, job) = try await prepared(mode: "wait")
        let identifier = try await running(bench, job)
        kill(pid_t(identifier.rawValue) ?? 0, SIGKILL)
        #expect(try await job.wait(for: identifier).code == -9)
        await job.runHooks(
            .crashed, state: ["type": "CRASHED", "name": "Crashed", "message": "killed"], of: identifier)
        expectHooks(bench, job, name: "Crashed", type: "CRASHED")
        let log = try await logs(bench, job)
        #expect(log.contains("Hook 'broken' failed") && log.contains("this hook is broken"))
        #expect(log.contains("Hook 'modern' has finished"))
        await job.cleanUp(identifier)
        #expect(!FileManager.default.fileExists(atPath: identifier.handle["directory"]?.stringValue ?? ""))
    }

    @Test("a project that depends on Prefect runs its flow and its hooks with uv if configured")
    func project() async throws {
        // A stand-in for uv that records its arguments, and runs the program with the available Python.
        let tools = try TemporaryDirectory()
        _ = try tools.write(
            "uv",
            """
            #!/bin/sh
            echo "$@" >> "$T/uv"
            shift 4
            exec \(Prefect.python ?? "python") "$@"
            """, mode: 0o755)
        let path = tools.path + ":" + Workbench.path
        let (bench, job) = try await prepared(
            mode: "wait", env: ["PATH": path, "PREFECT_RUNNER_AUTO_INSTALL_DEPENDENCIES": "true"])
        _ = try bench.directory.write(
            "code/pyproject.toml", "[project]\nname = \"flows\"\nversion = \"1\"\ndependencies = [\"prefect>=3\"]\n")
        let identifier = try await running(bench, job)
        kill(pid_t(identifier.rawValue) ?? 0, SIGKILL)
        _ = try await job.wait(for: identifier)
        await job.runHooks(.crashed, state: ["type": "CRASHED", "name": "Crashed"], of: identifier)
        expectHooks(bench, job, name: "Crashed", type: "CRASHED")
        let calls = (bench.directory.read("uv") ?? "").split(separator: "\n")
        let project = (identifier.handle["directory"]?.stringValue ?? "") + "/work"
        #expect(calls.count == 2)
        #expect(calls.allSatisfy { $0.hasPrefix("run --no-default-groups --project \(project) ") })
        #expect(calls.first?.hasSuffix(" engine flows.py:hooked") == true)
        #expect(calls.last?.contains("/hooks-") == true)
    }

    @Test("hooks run in the workspace of the run, and do not run if it never had one")
    func workspace() async throws {
        let (bench, job) = try await prepared(mode: "wait")
        let identifier = try await running(bench, job)
        // Hooks that fetched the code again would get this version.
        _ = try bench.directory.write("code/flows.py", "raise RuntimeError('the code was fetched again')")
        kill(pid_t(identifier.rawValue) ?? 0, SIGKILL)
        _ = try await job.wait(for: identifier)
        let crashed: JSONValue = ["type": "CRASHED", "name": "Crashed"]
        await job.runHooks(.crashed, state: crashed, of: identifier)
        expectHooks(bench, job, name: "Crashed", type: "CRASHED")
        let directory = try #require(identifier.handle["directory"]?.stringValue)
        try FileManager.default.removeItem(atPath: directory + "/workspace.json")
        await job.runHooks(.crashed, state: crashed, of: identifier)
        #expect(bench.reporter.messages.map(\.level) == [.info])
        #expect(bench.reporter.messages.first?.message.contains("before its code was ready") == true)
        #expect(bench.directory.read("broken") == "x")
    }

    @Test("a flow without hooks causes no messages, even if it never had a process")
    func noHooks() async throws {
        let (bench, job) = try await prepared(flow: "bare", mode: "wait")
        let before = bench.runDirectories.count
        await job.runHooks(.crashed, state: ["type": "CRASHED", "name": "Crashed"], of: nil)
        #expect(bench.reporter.messages.isEmpty, "\(bench.reporter.messages)")
        #expect(try await logs(bench, job) == "[]")
        #expect(bench.runDirectories.count <= before + 1)
    }
}
