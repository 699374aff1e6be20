import BackendKit
import Foundation
import JobTemplates
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

@testable import ProcessBackend

struct ConfigurationTests {
    @Test("a prepared configuration is equal to that of the Python worker")
    func goldens() throws {
        let file = try #require(
            Bundle.module.url(forResource: "Resources/prepared_process", withExtension: "json"))
        let cases = try JSONValue(parsing: Array(Data(contentsOf: file))).arrayValue ?? []
        #expect(cases.count == 3)
        let backend = try ProcessBackend(
            options: .init(interpreter: "/opt/venv/bin/python", environment: ["PATH": "/usr/bin:/bin"]))
        for golden in cases {
            func strings(_ key: String) -> [(name: String, value: String)] {
                (golden[key]?.objectValue ?? [:]).map { ($0.key, $0.value.stringValue ?? "") }
            }
            let context = PreparationContext(
                flowRun: golden["flow_run"] ?? nil, flow: golden["flow"],
                deployment: golden["deployment"].flatMap { $0.isNull ? nil : $0 },
                workPool: .init(
                    id: golden["work_pool"]?["id"]?.stringValue ?? "",
                    name: golden["work_pool"]?["name"]?.stringValue ?? ""),
                workerName: golden["worker_name"]?.stringValue, workerID: golden["worker_id"]?.stringValue,
                settingsEnvironment: strings("settings_environment"),
                environment: Dictionary(uniqueKeysWithValues: strings("process_env").map { ($0.name, $0.value) }))
            let prepared = try backend.prepared(golden["rendered"] ?? [:], for: context)
            let expected = try #require(golden["expected"])
            #expect(
                prepared.json.isEquivalent(to: expected),
                "\(golden["label"]?.stringValue ?? ""): \(prepared.json.serialized()) is not \(expected.serialized())")
        }
    }

    @Test("a variable set to null is not inherited")
    func nullVariable() throws {
        let backend = try ProcessBackend(options: .init(interpreter: "/p", environment: [:]))
        let prepared = try backend.prepared(
            ["env": ["SECRET": nil, "A": "1"]],
            for: PreparationContext(
                flowRun: ["id": "i", "name": "n"], flow: nil, environment: ["SECRET": "s", "B": "2"]))
        #expect(prepared.launchEnvironment == ["B": "2", "PREFECT__FLOW_RUN_ID": "i", "A": "1"])
    }

    @Test("fields of a wrong type are refused by name", arguments: ["stream_output", "working_dir", "command", "env"])
    func wrongTypes(field: String) throws {
        let error = #expect(throws: InfrastructureError.self) {
            try ProcessConfiguration(rendered: [field: 7])
        }
        #expect(error?.kind == .refused)
        #expect(error?.message.contains(field) == true)
    }

    @Test("Prefect's spellings of a boolean are accepted")
    func booleans() throws {
        for (value, expected) in [("off", false), ("No", false), ("true", true), ("1", true)] as [(JSONValue, Bool)] {
            #expect(try ProcessConfiguration(rendered: ["stream_output": value]).streamsOutput == expected)
        }
        #expect(try ProcessConfiguration(rendered: [:]).streamsOutput)
    }

    @Test("an interpreter is looked up on the worker's PATH and made absolute")
    func interpreter() throws {
        let directory = try TemporaryDirectory()
        let python3 = try directory.write("python3", "#!/bin/sh\n", mode: 0o755)
        let environment = ["PATH": "/nonexistent:" + directory.path, "HOME": "/home/w"]
        #expect(Interpreter(choice: nil, environment: environment) == .python(python3))
        #expect(Interpreter(choice: "python3", environment: environment) == .python(python3))
        #expect(Interpreter(choice: "~/v/bin/python", environment: environment) == .python("/home/w/v/bin/python"))
        #expect(Interpreter(choice: "none", environment: environment) == .none)
        guard case .missing(let message) = Interpreter(choice: nil, environment: ["PATH": "/nonexistent"]) else {
            Issue.record("an interpreter was found")
            return
        }
        #expect(message.contains("PATH"))
    }

    @Test("a job without a command is refused when the interpreter is disabled on purpose")
    func noInterpreter() async throws {
        let bench = try Workbench()
        let error = #expect(throws: InfrastructureError.self) {
            try bench.backend.prepared(
                [:], for: PreparationContext(flowRun: ["id": "i", "name": "n"], flow: nil))
        }
        #expect(error?.kind == .refused)
        #expect(error?.message.contains("command") == true)
        let report = await bench.backend.check()
        #expect(report.isUsable)
        #expect(report.findings.contains { $0.detail.contains("disabled") })
    }

    @Test("the check reports the problem of an unusable interpreter")
    func check() async throws {
        let directory = try TemporaryDirectory()
        let cases = [
            ("good", "echo 3.9.9", true, "3.9.9"), ("bare", "exit 3", false, "does not find the package prefect"),
            ("broken", "echo 'bad thing' >&2; exit 1", false, "bad thing"),
            ("slow", "exec sleep 100", false, "did not answer"),
        ]
        for (name, script, isGood, detail) in cases {
            let python = try directory.write(name, "#!/bin/sh\n\(script)\n", mode: 0o755)
            let bench = try Workbench(
                interpreter: python, checkTimeLimit: name == "slow" ? .milliseconds(50) : .seconds(20))
            let report = await bench.backend.check()
            #expect(report.isUsable == isGood, "\(name)")
            #expect(report.findings.contains { $0.detail.contains(detail) }, "\(report.findings)")
            #expect(bench.runDirectories.isEmpty)
        }
        let missing = try Workbench(interpreter: "/nonexistent/python")
        #expect(await missing.backend.check().findings.contains { $0.detail.contains("does not exist") })
    }
}
