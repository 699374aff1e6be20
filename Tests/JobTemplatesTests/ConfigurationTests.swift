import JobTemplates
import OrderedCollections
import PrefectJSON
import Testing

@testable import ProcessBackend

@Suite("The common configuration")
struct BaseJobConfigurationTests {
    @Test("absent fields are empty, and all four fields are always present")
    func absent() throws {
        let configuration = try BaseJobConfiguration(rendered: ["image": "i"])
        #expect(
            configuration.json == ["command": nil, "env": [:], "labels": [:], "name": nil, "image": "i"])
        #expect(configuration.rendered == ["image": "i"])
    }

    @Test("values of env become Python's text, and null stays null")
    func environment() throws {
        let configuration = try BaseJobConfiguration(rendered: [
            "env": ["A": true, "B": nil, "C": 1e16, "D": [nil], "E": ["x": "y"], "F": "", "G": 12]
        ])
        #expect(
            configuration.env
                == ["A": "True", "B": nil, "C": "1e+16", "D": "[None]", "E": "{'x': 'y'}", "F": "", "G": "12"])
    }

    @Test(
        "fields of another type are refused with their path",
        arguments: [
            (["env": nil], "job_configuration.env"), (["env": []], "job_configuration.env"),
            (["command": ["a"]], "job_configuration.command"), (["command": 5], "job_configuration.command"),
            (["name": true], "job_configuration.name"), (["labels": nil], "job_configuration.labels"),
            (["labels": ["a": 1]], "job_configuration.labels.a"), ([], "job_configuration"),
        ] as [(JSONValue, String)])
    func refused(rendered: JSONValue, path: String) throws {
        let error = try #require(throws: TemplateError.self) { try BaseJobConfiguration(rendered: rendered) }
        #expect(error.path == path)
        #expect(error.kind == .invalidField)
    }
}

@Suite("Preparing for a run")
struct PreparationTests {
    private static let flowRun: JSONValue = [
        "id": "run-id", "name": "cool-run", "flow_id": "flow-id", "deployment_id": "deployment-id", "tags": ["a"],
        "expected_start_time": "2026-01-02T03:04:05.120000+00:00",
    ]
    private static let flow: JSONValue = ["id": "flow-id", "name": "etl"]

    private static func prepare(
        _ rendered: JSONValue, settings: [(name: String, value: String)] = [], deployment: JSONValue? = nil
    ) throws -> PreparedJobConfiguration {
        try BaseJobConfiguration(rendered: rendered).prepare(
            for: PreparationContext(
                flowRun: flowRun, flow: flow, deployment: deployment, workPool: .init(id: "pool-id", name: "pool"),
                workerName: "w", workerID: "worker-id", settingsEnvironment: settings, environment: ["HOST": "here"]))
    }

    @Test("the job's variables override the worker's and keep their places, and null removes a variable")
    func environment() throws {
        let prepared = try Self.prepare(
            ["env": ["PREFECT_API_URL": "mine", "X": "1", "PREFECT__FLOW_NAME": nil, "GONE": nil]],
            settings: [("PREFECT_API_URL", "theirs"), ("PREFECT_HOME", "/h")])
        #expect(
            prepared.env == [
                "PREFECT_API_URL": "mine", "PREFECT_HOME": "/h", "PREFECT__FLOW_RUN_ID": "run-id",
                "PREFECT__WORKER_ID": "worker-id", "PREFECT__WORKER_NAME": "w", "PREFECT__FLOW_ID": "flow-id",
                "PREFECT__DEPLOYMENT_ID": "deployment-id", "X": "1",
            ])
        #expect(prepared.unsetEnv == ["PREFECT__FLOW_NAME", "GONE"])
    }

    @Test("an inherited variable that the job sets to null is shown but not passed to the process")
    func processEnvironment() throws {
        let prepared = try Self.prepare(["env": ["SECRET": nil, "PATH": "/mine"]])
        let inherited: OrderedDictionary = ["PATH": "/usr/bin", "SECRET": "s", "HOME": "/h"]
        let environment = mergeProcessEnvironment(inherited: inherited, prepared: prepared)
        #expect(Array(environment.configured.keys.prefix(4)) == ["PATH", "SECRET", "HOME", "PREFECT__FLOW_RUN_ID"])
        #expect(environment.configured["SECRET"] == "s")
        #expect(environment.launched["SECRET"] == nil)
        #expect(environment.launched["PATH"] == "/mine")
        #expect(environment.launched.count == environment.configured.count - 1)
    }

    @Test("the command is the configured command, or the default")
    func command() throws {
        let plain = try Self.prepare(["command": ""])
        #expect(plain.command == "prefect flow-run execute" && !plain.commandIsConfigured)
        let configured = try Self.prepare(["command": "./run"])
        #expect(configured.command == "./run" && configured.commandIsConfigured)
        #expect(
            processEngineCommand(interpreter: "/opt/py/bin/python3.11") == "/opt/py/bin/python3.11 -m prefect.engine")
        #expect(processEngineCommand(interpreter: "/a b/p'y") == #"'/a b/p'"'"'y' -m prefect.engine"#)
        #expect(processEngineCommand(interpreter: "") == "'' -m prefect.engine")
    }

    @Test("the configuration's labels take precedence, and the deployment's time has Python's format")
    func labels() throws {
        let prepared = try Self.prepare(
            ["labels": ["prefect.io/version": "mine", "own": "1"]],
            deployment: ["id": "d", "name": "dep", "updated": "2026-02-03T05:05:06+01:00"])
        #expect(
            prepared.labels == [
                "prefect.io/flow-run-id": "run-id", "prefect.io/flow-run-name": "cool-run",
                "prefect.io/version": "mine", "prefect.io/work-pool-name": "pool", "prefect.io/work-pool-id": "pool-id",
                "prefect.io/worker-name": "w", "prefect.io/flow-id": "flow-id", "prefect.io/flow-name": "etl",
                "prefect.io/deployment-id": "d", "prefect.io/deployment-name": "dep",
                "prefect.io/deployment-updated": "2026-02-03T04:05:06+00:00", "own": "1",
            ])
        let without = try Self.prepare([:], deployment: ["id": "d", "name": "dep", "updated": nil])
        #expect(without.labels["prefect.io/deployment-updated"] == nil)
    }

    @Test(
        "placeholders in the name are filled in from the flow and the run",
        arguments: [
            ("{{ ctx.flow.name }}-{{ ctx.flow_run.name }}", "etl-cool-run"), ("{{ ctx.flow.no }}", "{{ ctx.flow.no }}"),
            ("x{{ ctx.flow.no }}", "x"), ("{{ ctx.flow_run.work_pool_name }}", "cool-run"),
            ("{{ ctx.flow_run.run_count }}", "cool-run"), ("n{{ ctx.flow_run.run_count }}", "n0"),
            ("{{ ctx.flow_run.tags }}", "['a']"), ("on {{ $HOST }}", "on here"), ("", "cool-run"), ("plain", "plain"),
            ("{{ ctx.flow_run.expected_start_time }}", "2026-01-02T03:04:05.120000Z"),
        ])
    func names(template: String, name: String) throws {
        #expect(try Self.prepare(["name": .string(template)]).name == name)
    }

    @Test("a run without an id or a name is refused")
    func incompleteRun() throws {
        let configuration = try BaseJobConfiguration(rendered: [:])
        for run in [["id": "x"], ["name": "x"], []] as [JSONValue] {
            #expect(throws: TemplateError.self) {
                try configuration.prepare(for: PreparationContext(flowRun: run, flow: nil))
            }
        }
    }
}

@Suite("Default templates")
struct DefaultTemplateTests {
    @Test("the process template has the keys, types, defaults and placeholders of the Python worker's template")
    func process() throws {
        let expected = try VectorFile.load("process_template")
        let ours = ProcessBackend.defaultTemplate().json
        #expect(Self.withoutProse(ours) == Self.withoutProse(expected))
        #expect(try BaseJobTemplate(json: ours) == ProcessBackend.defaultTemplate())
    }

    /// A schema without its titles and descriptions.
    private static func withoutProse(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members):
            .object(
                OrderedDictionary(
                    uniqueKeysWithValues: members.filter {
                        !(["title", "description"].contains($0.key) && $0.value.stringValue != nil)
                    }.map { ($0.key, withoutProse($0.value)) }))
        case .array(let elements): .array(elements.map(withoutProse))
        default: value
        }
    }
}
