import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@Suite("Shutdown of an idle worker that waits for an answer", .bounded)
struct IdleShutdownTests {
    /// A part of the API that accepts requests and never answers.
    struct Silence: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var method: String?
        let path: String

        static let all = [
            Silence(testDescription: "all requests", path: "*"),
            Silence(testDescription: "the first read of the pool", method: "GET", path: "/work_pools/*"),
            Silence(testDescription: "the CSRF token", path: "/csrf-token"),
            Silence(testDescription: "heartbeats", path: "*/workers/heartbeat"),
            Silence(testDescription: "polls", path: "*/get_scheduled_flow_runs"),
            Silence(testDescription: "the WebSocket for events to the API", path: "/events/in"),
            Silence(testDescription: "the WebSocket for events from the API", path: "/events/out"),
            Silence(testDescription: "the worker channel", path: "*/workers/connect"),
            Silence(testDescription: "all requests and WebSockets for events", path: "/events*"),
            Silence(testDescription: "the list of workers", path: "*/workers/filter"),
        ]
    }

    /// A program that notes its process id and does not end. It can run more than once, and can be ended before it has
    /// noted its id.
    private struct HangingProgram {
        let path: String
        private let note: String

        init(_ name: String, in directory: String) throws {
            path = "\(directory)/\(name)"
            note = "\(directory)/pid"
            try TestFile.write("#!/bin/sh\necho $$ >>'\(note)'\nsleep 300\n", to: path, isExecutable: true)
        }

        /// The ids of the program's processes so far.
        var processes: [Int32] {
            let text = (try? String(contentsOfFile: note, encoding: .utf8)) ?? ""
            return text.split(separator: "\n").compactMap { Int32($0) }
        }

        /// Whether all of these processes have ended.
        var hasEnded: Bool { processes.allSatisfy { ProcessTable.commandLine($0).isEmpty } }
    }

    /// Starts a worker for a pool of the fake API, and sends SIGTERM after `happened` has returned. Expects that the
    /// worker exits with status 0.
    ///
    /// - Throws: ``TooSlow`` when the shutdown takes a second or more.
    private func expectEndWithinASecond(
        _ api: FakePrefectAPI, _ others: [String] = [], variables: [String: String] = [:],
        after happened: (ChildProcess, String) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            let environment = WorkerProgram.environment(
                home: directory, ["PREFECT_API_URL": api.url].merging(variables) { $1 })
            try await withChildProcess(
                WorkerProgram.path, ["start", "--pool", "p", "--name", "w"] + others, environment: environment,
                workingDirectory: directory
            ) { worker in
                try await happened(worker, directory)
                let began = ContinuousClock.now
                worker.send(.terminate)
                let status = try await worker.waitForExit(timeout: .seconds(90))
                let took = ContinuousClock.now - began
                #expect(status == .exited(0), "\(worker.summary)")
                // The forced exit after a time limit is only for unknown causes.
                guard took < .seconds(1), !worker.errors.contains(where: { $0.contains("has exceeded its time limit") })
                else { throw TooSlow(detail: "\(took); \(worker.summary)") }
            }
        }
    }

    @Test("an API that accepts a request and never answers does not delay the shutdown", arguments: Silence.all)
    func silentAPI(_ silence: Silence) async throws {
        try await onceOfThree {
            try await withFakePrefectAPI { api in
                _ = api.addPool(name: "p", template: FakePrefectAPI.processTemplate)
                let script = api.script(method: silence.method, path: silence.path, answer: .hang)
                try await expectEndWithinASecond(api, ["--python", "none"]) { _, _ in
                    try await eventually(within: .seconds(30), "the API has a request that it does not answer") {
                        script.uses > 0
                    }
                }
            }
        }
    }

    @Test("a credential program that hangs does not delay the shutdown, and is ended with the worker")
    func credentialProgram() async throws {
        try await onceOfThree {
            try await withFakePrefectAPI { api in
                _ = api.addPool(name: "p", type: "kubernetes", template: FakePrefectAPI.processTemplate)
                try await withTemporaryDirectory { tools in
                    let program = try HangingProgram("credentials", in: tools)
                    let kubeconfig = tools + "/config"
                    try TestFile.write(
                        """
                        {"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
                         "clusters": [{"name": "k", "cluster": {"server": "https://127.0.0.1:1"}}],
                         "users": [{"name": "u", "user": {"exec": {"command": "\(program.path)",
                           "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}}}]}
                        """, to: kubeconfig)
                    try await expectEndWithinASecond(api, variables: ["KUBECONFIG": kubeconfig]) { _, _ in
                        try await eventually(within: .seconds(30), "the program runs") { !program.processes.isEmpty }
                    }
                    try await eventually("the program has ended") { program.hasEnded }
                }
            }
        }
    }

    @Test("a Python that hangs in the startup check does not delay the shutdown, and is ended with the worker")
    func interpreter() async throws {
        try await onceOfThree {
            try await withFakePrefectAPI { api in
                _ = api.addPool(name: "p", template: FakePrefectAPI.processTemplate)
                try await withTemporaryDirectory { tools in
                    let program = try HangingProgram("python", in: tools)
                    try await expectEndWithinASecond(api, ["--python", program.path]) { _, _ in
                        try await eventually(within: .seconds(30), "the check runs") { !program.processes.isEmpty }
                    }
                    try await eventually("the check has ended") { program.hasEnded }
                }
            }
        }
    }

    @Test(
        "infrastructure that accepts a connection and never answers does not delay the shutdown",
        arguments: ["docker", "kubernetes", "systemd"])
    func silentInfrastructure(type: String) async throws {
        try await onceOfThree {
            try await withFakePrefectAPI { api in
                _ = api.addPool(name: "p", type: type, template: FakePrefectAPI.processTemplate)
                try await withTemporaryDirectory { tools in
                    let silent = try SilentListener(tools + "/socket")
                    try TestFile.write(
                        """
                        {"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
                         "clusters": [{"name": "k", "cluster": {"server": "http://127.0.0.1:\(silent.port)"}}],
                         "users": [{"name": "u", "user": {"token": "t"}}]}
                        """, to: tools + "/config")
                    let variables = [
                        "DOCKER_HOST": "unix://\(tools)/socket", "KUBECONFIG": tools + "/config",
                        "DBUS_SESSION_BUS_ADDRESS": "unix:path=\(tools)/socket",
                        "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=\(tools)/socket",
                    ]
                    try await expectEndWithinASecond(api, variables: variables) { _, _ in
                        try await eventually(within: .seconds(30), "the worker has connected") { silent.isWaitedFor }
                    }
                }
            }
        }
    }

    @Test("two signals within a second count as one")
    func twice() async throws {
        try await onceOfThree {
            try await withFakePrefectAPI { api in
                let pool = api.addPool(name: "p", template: FakePrefectAPI.processTemplate)
                let flow = api.addFlow(name: "f")
                try await withTemporaryDirectory { directory in
                    let deployment = api.addDeployment(
                        name: "d", flow: flow, pool: pool,
                        jobVariables: [
                            "command": "sh -c 'echo begun; until test -e go; do sleep 0.05; done; echo ended'",
                            "working_dir": .string(directory),
                        ])
                    api.scheduleRun(deployment: deployment)
                    let environment = WorkerProgram.environment(
                        home: directory, ["PREFECT_API_URL": api.url, "PREFECT_WORKER_QUERY_SECONDS": "1"])
                    try await withChildProcess(
                        WorkerProgram.path, ["start", "--pool", "p", "--name", "w", "--python", "none"],
                        environment: environment, workingDirectory: directory
                    ) { worker in
                        try await worker.waitForLine(containing: "begun")
                        // A supervisor may signal both its child and the process group of the child.
                        worker.send(.terminate)
                        try await worker.waitForLine(containing: "draining")
                        worker.send(.terminate)
                        worker.send(.terminate)
                        try TestFile.write("", to: directory + "/go")
                        let status = try await worker.waitForExit()
                        // The sender had to wait, so that the signals came more than a second apart.
                        guard !worker.errors.contains(where: { $0.contains("stopping") }) else {
                            throw TooSlow(detail: worker.summary)
                        }
                        #expect(status == .exited(0))
                        #expect(worker.output.contains("ended"), "\(worker.summary)")
                    }
                }
            }
        }
    }
}
