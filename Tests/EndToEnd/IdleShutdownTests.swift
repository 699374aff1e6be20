import FoundationEssentials
import JSON
import TestSupport
import Testing

@Suite("Ending a worker that has nothing in flight and waits for something", .bounded)
struct IdleShutdownTests {
    /// A part of the API that takes requests and never answers.
    struct Silence: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var method: String?
        let path: String

        static let all = [
            Silence(testDescription: "everything", path: "*"),
            Silence(testDescription: "the pool at the start", method: "GET", path: "/work_pools/*"),
            Silence(testDescription: "the CSRF token", path: "/csrf-token"),
            Silence(testDescription: "heartbeats", path: "*/workers/heartbeat"),
            Silence(testDescription: "polls", path: "*/get_scheduled_flow_runs"),
            Silence(testDescription: "the socket for events", path: "/events/in"),
            Silence(testDescription: "the feed of events", path: "/events/out"),
            Silence(testDescription: "the worker channel", path: "*/workers/connect"),
            Silence(testDescription: "events and their socket", path: "/events*"),
            Silence(testDescription: "the other workers", path: "*/workers/filter"),
        ]
    }

    /// A program that notes its process and then does not end. It may be run more than once, and be ended before it has
    /// noted anything.
    private struct HangingProgram {
        let path: String
        private let note: String

        init(_ name: String, in folder: String) throws {
            path = "\(folder)/\(name)"
            note = "\(folder)/pid"
            try Folder.write("#!/bin/sh\necho $$ >>'\(note)'\nsleep 300\n", to: path, isExecutable: true)
        }

        /// The program's processes that have run so far.
        var processes: [Int32] {
            let text = (try? String(contentsOfFile: note, encoding: .utf8)) ?? ""
            return text.split(separator: "\n").compactMap { Int32($0) }
        }

        /// Whether none of them is left.
        var hasEnded: Bool { processes.allSatisfy { ProcessTable.commandLine($0).isEmpty } }
    }

    /// Starts a worker for a pool of the fake API and sends it SIGTERM once something has happened; expects that it ends
    /// with status 0.
    ///
    /// - Throws: ``TooSlow`` when it takes a second or more.
    private func expectEndWithinASecond(
        _ api: FakePrefectAPI, _ others: [String] = [], variables: [String: String] = [:],
        after happened: (ChildProcess, String) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { folder in
            let environment = WorkerProgram.environment(
                home: folder, ["PREFECT_API_URL": api.url].merging(variables) { $1 })
            try await withChildProcess(
                WorkerProgram.path, ["start", "--pool", "p", "--name", "w"] + others, environment: environment,
                workingDirectory: folder
            ) { worker in
                try await happened(worker, folder)
                let began = ContinuousClock.now
                worker.send(.terminate)
                let status = try await worker.waitForExit(timeout: .seconds(90))
                let took = ContinuousClock.now - began
                #expect(status == .exited(0), "\(worker.summary)")
                // The last resort is for what nobody knows of.
                guard took < .seconds(1), !worker.errors.contains(where: { $0.contains("has not ended in time") })
                else { throw TooSlow(detail: "\(took); \(worker.summary)") }
            }
        }
    }

    @Test("an API that takes a request and never answers does not keep the worker", arguments: Silence.all)
    func silentAPI(_ silence: Silence) async throws {
        try await onceOfThree {
            try await withFakePrefectAPI { api in
                _ = api.addPool(name: "p", template: FakePrefectAPI.processTemplate)
                let script = api.script(method: silence.method, path: silence.path, answer: .hang)
                try await expectEndWithinASecond(api, ["--python", "none"]) { _, _ in
                    try await eventually(within: .seconds(30), "something waits for it") { script.uses > 0 }
                }
            }
        }
    }

    @Test("a program for credentials that does not end does not keep the worker, and ends with it")
    func credentialProgram() async throws {
        try await onceOfThree {
            try await withFakePrefectAPI { api in
                _ = api.addPool(name: "p", type: "kubernetes", template: FakePrefectAPI.processTemplate)
                try await withTemporaryDirectory { tools in
                    let program = try HangingProgram("credentials", in: tools)
                    let kubeconfig = tools + "/config"
                    try Folder.write(
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

    @Test("a Python that does not answer the check at the start does not keep the worker, and ends with it")
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
        "infrastructure that takes a connection and never answers does not keep the worker",
        arguments: ["docker", "kubernetes", "systemd"])
    func silentInfrastructure(type: String) async throws {
        try await onceOfThree {
            try await withFakePrefectAPI { api in
                _ = api.addPool(name: "p", type: type, template: FakePrefectAPI.processTemplate)
                try await withTemporaryDirectory { tools in
                    let silent = try SilentListener(tools + "/socket")
                    try Folder.write(
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
                        try await eventually(within: .seconds(30), "something waits for it") { silent.isWaitedFor }
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
                try await withTemporaryDirectory { folder in
                    let deployment = api.addDeployment(
                        name: "d", flow: flow, pool: pool,
                        jobVariables: [
                            "command": "sh -c 'echo begun; until test -e go; do sleep 0.05; done; echo ended'",
                            "working_dir": .string(folder),
                        ])
                    api.scheduleRun(deployment: deployment)
                    let environment = WorkerProgram.environment(
                        home: folder, ["PREFECT_API_URL": api.url, "PREFECT_WORKER_QUERY_SECONDS": "1"])
                    try await withChildProcess(
                        WorkerProgram.path, ["start", "--pool", "p", "--name", "w", "--python", "none"],
                        environment: environment, workingDirectory: folder
                    ) { worker in
                        try await worker.waitForLine(containing: "begun")
                        // As from a supervisor that signals its child and the group of the child.
                        worker.send(.terminate)
                        try await worker.waitForLine(containing: "draining")
                        worker.send(.terminate)
                        worker.send(.terminate)
                        try Folder.write("", to: folder + "/go")
                        let status = try await worker.waitForExit()
                        // Signals that came more than a second apart, since their sender had to wait.
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
