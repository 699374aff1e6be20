import FoundationEssentials
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

/// An `ecs` pool on the real server, and the stand-in of AWS at `AWS_ENDPOINT_URL`, which runs each task as a container.
struct ECSBench: Sendable {
    let bench: TestBench
    /// The commands of the stand-in: faults, and the requests so far.
    let stand: PrefectServerClient

    /// A program that replaces a flow's engine and starts quickly. It sets Running, waits, and sets Completed.
    private static let program = """
        import json, os, time, urllib.request
        def say(kind, name):
            url = os.environ["PREFECT_API_URL"] + "/flow_runs/" + os.environ["PREFECT__FLOW_RUN_ID"] + "/set_state"
            body = json.dumps({"state": {"type": kind, "name": name}, "force": True}).encode()
            while True:
                try:
                    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
                    return urllib.request.urlopen(request, timeout=30).read()
                except Exception:
                    time.sleep(0.5)
        say("RUNNING", "Running")
        time.sleep(float(os.environ["REST"]))
        say("COMPLETED", "Completed")
        """

    /// Deploys a program that sets the states of its run and lasts for a number of seconds.
    func deployQuick(_ seconds: Int = 1) async throws -> String {
        try await bench.deploy(
            command: "sh -c 'exec python -c \"$PROGRAM\"'",
            jobVariables: [
                "image": "prefect:lab", "env": ["PROGRAM": .string(Self.program), "REST": .string("\(seconds)")],
            ])
    }

    /// Creates a run of a function of ``FlowSource``, whose code is in the environment of the task.
    func flow(_ function: String, parameters: JSONValue = [:]) async throws -> String {
        let command =
            "sh -c 'mkdir -p /tmp/code /tmp/work && printf %s \"$CODE\" >/tmp/code/flows.py && cd /tmp/work && "
            + "exec prefect flow-run execute'"
        var arguments: JSONValue = ["notes": "/tmp"]
        for (key, value) in parameters.objectValue ?? [:] { arguments[key] = value }
        let deployment = try await bench.server.createDeployment(
            name: "\(function)-\(TestBench.unique())", flow: bench.flow, pool: bench.pool,
            entrypoint: "flows.py:\(function)", path: "/tmp/code",
            jobVariables: [
                "image": "prefect:lab", "command": .string(command), "env": ["CODE": .string(FlowSource.text)],
            ])
        return try await bench.server.createRun(deployment: deployment, parameters: arguments)
    }

    /// Creates a run of a shell script in a small image.
    func shell(_ script: String, jobVariables: JSONValue = [:]) async throws -> String {
        var variables: JSONValue = ["image": "busybox:lab", "cpu": 256, "memory": 512]
        for (key, value) in jobVariables.objectValue ?? [:] { variables[key] = value }
        let command = "sh -c '\(script.replacing("'", with: "'\"'\"'"))'"
        return try await bench.server.createRun(
            deployment: bench.deploy(command: command, jobVariables: variables))
    }

    /// The environment of a worker that uses the stand-in.
    func environment(_ others: [String: String] = [:]) -> [String: String] {
        let own = ProcessInfo.processInfo.environment.filter { $0.key.hasPrefix("AWS_") }
        return own.merging(["NO_PROXY": "127.0.0.1,localhost"]) { $1 }.merging(others) { $1 }
    }

    /// Runs a worker on the pool while `body` runs.
    func withWorker<Result>(
        name: String = "bench", variables: [String: String] = [:], isolation: isolated (any Actor)? = #isolation,
        _ body: (ChildProcess) async throws -> Result
    ) async throws -> Result {
        try await bench.withWorker(name: name, ["--type", "ecs"], variables: environment(variables), body)
    }

    /// Waits until a run has crashed, and returns the message of its state.
    func crash(of run: String, within timeout: Duration = .seconds(60)) async throws -> String {
        let crash = try await bench.server.waitForRun(run, toBe: ["Crashed", "Completed", "Failed"], within: timeout)
        #expect(crash["state_name"] == "Crashed")
        return crash["state"]?["message"]?.stringValue ?? ""
    }

    /// The number of containers that the stand-in has started for a run.
    func containers(of run: String) async throws -> Int {
        let all = try await stand.call("GET", "/_lab/containers").arrayValue ?? []
        return all.count { $0["flow_run"]?.stringValue == run }
    }

    /// Makes the next requests of an operation fail.
    func fail(_ operation: String, times: Int = 1, _ fault: JSONValue) async throws {
        var body = fault
        body["match"] = .string(operation)
        body["times"] = .int(times)
        _ = try await stand.send("POST", "/_lab/faults", body)
    }
}

/// Runs `body` with a new `ecs` pool. Everything is removed afterwards.
func withECSBench<Result>(
    on server: PrefectServerClient? = nil, isolation: isolated (any Actor)? = #isolation,
    _ body: (ECSBench) async throws -> Result
) async throws -> Result {
    let stand = try PrefectServerClient(url: try #require(ECSStandIn.address))
    return try await withTestBench(on: server, createsPool: false) { bench in
        try await bench.server.createPool(name: bench.pool, type: "ecs")
        do {
            let result = try await body(ECSBench(bench: bench, stand: stand))
            _ = try? await stand.send("DELETE", "/_lab/faults")
            return result
        } catch {
            _ = try? await stand.send("DELETE", "/_lab/faults")
            throw error
        }
    }
}

/// The stand-in of AWS that the environment names.
enum ECSStandIn {
    static var address: String? { value("AWS_ENDPOINT_URL") }

    private static func value(_ variable: String) -> String? {
        ProcessInfo.processInfo.environment[variable].flatMap { $0.isEmpty ? nil : $0 }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test, with the reason, unless a stand-in of AWS answers.
    static var awsStandIn: Self {
        .enabled("needs the stand-in of AWS at AWS_ENDPOINT_URL, which answers /_lab/health") {
            guard let url = ECSStandIn.address, let client = try? PrefectServerClient(url: url, patience: .seconds(5))
            else { return false }
            return (try? await client.send("GET", "/_lab/health").status) == 200
        }
    }
}
