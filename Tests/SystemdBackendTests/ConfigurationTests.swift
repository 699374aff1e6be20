import BackendKit
import Foundation
import JobTemplates
import OrderedCollections
import PrefectJSON
import Systemd
import Testing

@testable import SystemdBackend

@Suite("Configurations of units")
struct ConfigurationTests {
    private func property(_ name: String, _ variables: JSONValue) throws -> BusValue? {
        try UnitResources(rendered: variables).properties.first { $0.name == name }?.value
    }

    private func refusal(_ variables: JSONValue) -> String? {
        do {
            _ = try SystemdConfiguration(rendered: variables)
            return nil
        } catch {
            return error.kind == .refused ? error.message : nil
        }
    }

    @Test("limits become the manager's properties, in the manager's units")
    func limits() throws {
        #expect(try property("MemoryMax", ["memory_max": "1.5G"]) == .uint64(1_610_612_736))
        #expect(try property("MemoryHigh", ["memory_high": 1000]) == .uint64(1000))
        #expect(try property("CPUQuotaPerSecUSec", ["cpu_quota": "150%"]) == .uint64(1_500_000))
        #expect(try property("CPUQuotaPerSecUSec", ["cpu_quota": 0.5]) == .uint64(500_000))
        #expect(try property("TasksMax", ["tasks_max": "20"]) == .uint64(20))
        #expect(try property("RuntimeMaxUSec", ["runtime_max_sec": 2.5]) == .uint64(2_500_000))
        #expect(try property("TimeoutStopUSec", ["timeout_stop_sec": 10]) == .uint64(10_000_000))
        #expect(try property("IOWeight", ["io_weight": 50]) == .uint64(50))
        #expect(try property("PrivateTmp", ["private_tmp": true]) == .boolean(true))
        #expect(try property("PrivateTmp", ["private_tmp": false]) == nil)
        #expect(try property("ProtectSystem", ["protect_system": "strict"]) == .string("strict"))
        #expect(try property("ProtectHome", ["protect_home": true]) == .string("yes"))
        #expect(try property("ReadWritePaths", ["read_write_paths": ["/srv"]]) == .strings(["/srv"]))
        #expect(try UnitResources(rendered: ["memory_max": nil, "user": "", "cpu_quota": ""]).properties == [])
    }

    @Test(
        "an invalid value is refused with the name of its variable",
        arguments: [
            ("memory_max", "lots"), ("memory_high", -5), ("memory_max", "1e3"), ("cpu_quota", "fast"), ("cpu_quota", 0),
            ("cpu_weight", 10_001), ("io_weight", 0), ("tasks_max", "1.5"), ("runtime_max_sec", "1h"),
            ("timeout_stop_sec", -1), ("private_tmp", "perhaps"), ("protect_system", "some"), ("protect_home", 3),
            ("read_write_paths", "/srv"), ("read_only_paths", ["srv"]), ("slice", "flows"), ("user", "a b"),
            ("group", "a\nb"), ("working_dir", "here"), ("memory_max", ["1G"]),
        ] as [(String, JSONValue)])
    func refused(_ field: String, _ value: JSONValue) {
        #expect(refusal([field: value])?.contains("'\(field)'") == true)
    }

    @Test("a command that no unit can run is refused")
    func commands() {
        #expect(refusal(["command": "python 'x"])?.contains("quotation mark") == true)
        #expect(refusal(["command": "A=b python"])?.contains("'A=b'") == true)
    }

    @Test("a shell restores the environment exactly, without variables of the worker's own unit and user")
    func environment() throws {
        let prepared = PreparedJobConfiguration(
            command: "x", commandIsConfigured: true, env: ["A": "it's\n$HOME `id` \\ \u{1B}", "EMPTY": ""],
            unsetEnv: ["GONE"],
            labels: [:], name: "n", rendered: [:])
        let inherited = ["INVOCATION_ID": "1", "HOME": "/root", "GONE": "1", "KEPT": "yes", "odd%%": "x", "UID": "0"]
        let text = try UnitEnvironment(inherited: inherited, prepared: prepared, hasUser: true).text
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", "GONE=2; eval \"$(cat)\"; env -0"]
        process.environment = ["PATH": "/usr/bin:/bin"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        input.fileHandleForWriting.write(Data(text.utf8))
        try input.fileHandleForWriting.close()
        let read = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let variables = Set(read.split(separator: "\0").map(String.init)).filter {
            !$0.hasPrefix("PWD=") && !$0.hasPrefix("PATH=")
        }
        #expect(variables == ["A=it's\n$HOME `id` \\ \u{1B}", "EMPTY=", "KEPT=yes"])
        #expect(try UnitEnvironment(inherited: inherited, prepared: prepared, hasUser: false).text.contains("HOME="))
    }

    @Test("a run gets no settings of the worker, and a run of another user no paths of the worker")
    func workersOwn() throws {
        let settings = [
            ("PREFECT_HOME", "/w"), ("PREFECT_WORKER_QUERY_SECONDS", "5.0"), ("PREFECT_API_URL", "http://a"),
        ]
        var context = PreparationContext(
            flowRun: ["id": "r", "name": "r"], flow: nil, settingsEnvironment: settings,
            environment: ["PREFECT_HOME": "/w", "prefect_profiles_path": "/w/p", "PREFECT_WORKER_PYTHON": "/py"])
        let own = try SystemdConfiguration(rendered: ["command": "x"]).prepared(for: context, defaultCommand: nil)
        #expect(own.environment.text.contains("PREFECT_HOME='/w'") && own.environment.text.contains("/w/p"))
        #expect(!own.environment.text.contains("PREFECT_WORKER_"))
        let other = try SystemdConfiguration(rendered: ["command": "x", "user": "u"])
            .prepared(for: context, defaultCommand: nil)
        #expect(!other.environment.text.contains("/w") && other.environment.text.contains("PREFECT_API_URL"))
        // The job's own environment can still set it.
        context.settingsEnvironment = []
        let set = try SystemdConfiguration(rendered: ["command": "x", "user": "u", "env": ["PREFECT_HOME": "/mine"]])
            .prepared(for: context, defaultCommand: nil)
        #expect(set.environment.text.contains("PREFECT_HOME='/mine'"))
    }

    @Test("a variable that no shell can set is refused")
    func badVariables() {
        for name in ["a-b", "1A", "", "UID"] {
            let prepared = PreparedJobConfiguration(
                command: "x", commandIsConfigured: true, env: [name: "1"], unsetEnv: [], labels: [:], name: "n",
                rendered: [:])
            #expect(throws: InfrastructureError.self) {
                try UnitEnvironment(inherited: [:], prepared: prepared, hasUser: false)
            }
        }
    }

    @Test("no property of a unit has its environment, and characters that the manager expands stay unchanged")
    func properties() throws {
        let context = PreparationContext(
            flowRun: ["id": "11111111-2222-4333-8444-555555555555", "name": "a\nrun"],
            flow: nil, workPool: .init(id: "1", name: "pool"), workerName: "worker",
            settingsEnvironment: [("PREFECT_API_KEY", "hush-hush")])
        let configuration = try SystemdConfiguration(rendered: [
            "command": "echo $A '${B}'", "env": ["TOKEN": "hush-hush"],
        ])
        .prepared(for: context, defaultCommand: nil)
        let unit = UnitName(flowRunID: "11111111-2222-4333-8444-555555555555", claimID: "aaaa-bbbb-cccccccccccc")
        let transient = TransientUnit(
            unit: unit, directory: UnitDirectory(of: unit, in: "/state/units"), configuration: configuration,
            flowRunID: "11111111-2222-4333-8444-555555555555", flowRunName: "a\nrun")
        let properties = transient.properties(script: 5)
        #expect(!"\(properties)".contains("hush"))
        #expect(configuration.environment.text.contains("export TOKEN='hush-hush'"))
        #expect(configuration.environment.text.contains("export PREFECT_API_KEY='hush-hush'"))
        #expect(transient.script.hasSuffix("exec /usr/bin/env -C \"$1/work\" -- 'echo' '$A' '${B}' </dev/null\n"))
        let fields = properties.first { $0.name == "LogExtraFields" }?.value
        #expect(fields?.elements?.contains(.bytes("FLOW_RUN_NAME=a run")) == true)
        #expect(fields?.elements?.contains(.bytes("WORK_POOL=pool")) == true)
        // A reload of the manager corrupts words that contain '$' or ';'.
        for (name, words) in [
            ("ExecStart", ["/bin/sh", "-s"]), ("ExecStopPost", ["/bin/sh", "/state/units/\(unit.stem)/finish"]),
        ] {
            let command = properties.first { $0.name == name }?.value.elements?.first?.elements?[1].elements
            #expect(command?.compactMap(\.text) == words)
        }
        #expect(!properties.contains { $0.name == "RuntimeMaxUSec" })

        // Hooks replace the command, with the same secrets and their own time limit.
        let hooks = TransientUnit(
            unit: unit.hooks(.crashed), directory: UnitDirectory(of: unit.hooks(.crashed), in: "/state/units"),
            configuration: configuration, flowRunID: "11111111-2222-4333-8444-555555555555", flowRunName: "a\nrun",
            hooks: .init(kind: .crashed, state: #"{"message": "it's $A"}"#, interpreter: "/opt/my python", run: unit))
        #expect(hooks.script.contains("export TOKEN='hush-hush'"))
        #expect(hooks.script.contains(#"printf %s '{"message": "it'\''s $A"}' >"$1/state.json""#))
        #expect(hooks.script.hasSuffix(#"'/opt/my python' "$1/hooks.py" crashed "$1/state.json" </dev/null\#n"#))
        let limits = hooks.properties(script: 5).filter { $0.name == "RuntimeMaxUSec" }.map(\.value)
        #expect(limits == [.uint64(60_000_000)])
    }

    @Test("the hooks of a run's engine use the run's private directory, and so does the unit that removes it")
    func workspace() throws {
        let context = PreparationContext(
            flowRun: ["id": "11111111-2222-4333-8444-555555555555", "name": "a-run"], flow: nil)
        let configuration = try SystemdConfiguration(rendered: [:])
            .prepared(for: context, defaultCommand: "'/opt/my python' -m prefect.engine")
        let unit = UnitName(flowRunID: "11111111-2222-4333-8444-555555555555", claimID: "aaaa-bbbb-cccccccccccc")
        func transient(_ hooks: TransientUnit.Hooks?) -> TransientUnit {
            let name = hooks == nil ? unit : unit.hooks(.crashed)
            return TransientUnit(
                unit: name, directory: UnitDirectory(of: name, in: "/state/units"), configuration: configuration,
                flowRunID: "11111111-2222-4333-8444-555555555555", flowRunName: "a-run", hooks: hooks)
        }
        func directory(_ properties: [UnitProperty]) -> BusValue? {
            properties.first { $0.name == "CacheDirectory" }?.value
        }
        let run = transient(nil)
        let hooks = transient(.init(kind: .crashed, state: "{}", interpreter: "/opt/my python", run: unit))
        let alone = transient(.init(kind: .crashed, state: "{}", interpreter: "/opt/my python", run: nil))
        #expect(run.script.hasSuffix(#"-- '/opt/my python' "$1/engine.py" -m prefect.engine </dev/null\#n"#))
        #expect(hooks.script.contains(#"crashed "$1/state.json" "$1/workspace.json" </dev/null"#))
        #expect(!alone.script.contains("workspace.json\" </dev/null"))
        let own = BusValue.strings(["prefect-run/\(unit.stem)"])
        #expect(directory(run.properties(script: 5)) == own)
        #expect(directory(hooks.properties(script: 5)) == own)
        #expect(directory(TransientUnit.removal(of: unit)) == own)
        #expect(directory(alone.properties(script: 5)) != own)
        #expect([run, hooks, alone].map(\.keepsDirectory) == [true, true, false])
        #expect([run, hooks, alone].map(\.ownsKeptDirectory) == [true, false, false])
    }

    @Test("a unit name contains the run and the claim, and its identifier is valid only on its host")
    func names() throws {
        let run = "11111111-2222-4333-8444-555555555555"
        let unit = UnitName(flowRunID: run, claimID: "01a1ffe0-0000-7000-8000-0123456789ab")
        #expect(unit.name == "prefect-run-\(run)-0123456789ab.service")
        #expect(unit.flowRunID == run)
        let hooks = unit.hooks(.cancellation)
        #expect(hooks.name == "prefect-run-\(run)-0123456789ab.cancellation.service")
        #expect(UnitName(hooks.name) == hooks && hooks.flowRunID == run)
        #expect(UnitName(unit.name) == unit)
        #expect(UnitName(flowRunID: run, claimID: "another00000") != unit)
        let identifier = UnitHandle.identifier(of: unit, host: "here")
        #expect(identifier.rawValue == "here:\(unit.name)")
        #expect(try UnitHandle(identifier, host: "here").unit == unit)
        for text in [identifier.rawValue, "there:prefect-run-../../x.service", "12", "there:sshd.service"] {
            #expect(throws: InfrastructureError.self) {
                try UnitHandle(InfrastructureIdentifier(rawValue: text), host: "there")
            }
        }
    }

    @Test("root uses the system's manager, other users use their own, and the setting has precedence")
    func managers() throws {
        #expect(try SystemdBackend.manager(in: [:], isRoot: true) == .system)
        #expect(try SystemdBackend.manager(in: [:], isRoot: false) == .user)
        #expect(try SystemdBackend.manager(in: ["PREFECT_WORKER_SYSTEMD_MANAGER": "system"], isRoot: false) == .system)
        #expect(throws: InfrastructureError.self) {
            try SystemdBackend.manager(in: ["PREFECT_WORKER_SYSTEMD_MANAGER": "both"], isRoot: true)
        }
    }

    @Test("the default template has the configuration's fields, and an empty configuration sets no properties")
    func template() throws {
        let template = SystemdBackend.traits.baseJobTemplate
        let fields = Set(template.jobConfiguration.keys)
        #expect(try Set(SystemdConfiguration(rendered: [:]).json.objectValue?.keys.map { $0 } ?? []) == fields)
        #expect(try UnitResources(rendered: [:]).properties == [])
    }
}
