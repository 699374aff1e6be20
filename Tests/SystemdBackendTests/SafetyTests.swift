import BackendKit
import BackendKitTesting
import Foundation
import JobTemplates
import OrderedCollections
import PrefectJSON
import Testing
import WorkerKit

@testable import SystemdBackend

@Suite("Privileges of a unit")
struct SafetyTests {
    // MARK: - The state directory

    /// Calls a body with a directory below the sticky `/tmp`, and removes it afterwards.
    private func withDirectory(_ body: (String) throws -> Void) throws {
        let directory = "/tmp/systemd-safety-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try body(directory)
    }

    private func refusal(_ stateDirectory: String) -> String? {
        do {
            _ = try SystemdBackend.root(in: stateDirectory)
            return nil
        } catch {
            return error.kind == .refused ? error.message : nil
        }
    }

    private func make(_ path: String, mode: Int) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    @Test("a state directory that only its owner can change is accepted")
    func safe() throws {
        try withDirectory { directory in
            try make("\(directory)/state", mode: 0o700)
            #expect(try SystemdBackend.root(in: "\(directory)/state") == "\(directory)/state/units")
            try make("\(directory)/sticky", mode: 0o1777)
            try make("\(directory)/sticky/state", mode: 0o755)
            #expect(refusal("\(directory)/sticky/state") == nil)
            try FileManager.default.createSymbolicLink(
                atPath: "\(directory)/link", withDestinationPath: "sticky/../state")
            #expect(refusal("\(directory)/link") == nil)
        }
    }

    @Test("a state directory that others can change is refused with the cause", arguments: [0o777, 0o770, 0o1777])
    func shared(mode: Int) throws {
        try withDirectory { directory in
            try make("\(directory)/state/units", mode: mode)
            let message = try #require(refusal("\(directory)/state"))
            #expect(message.contains("'\(directory)/state/units' is writable by") && message.contains("--state-dir"))
            try make("\(directory)/state/units", mode: 0o700)
            #expect(refusal("\(directory)/state") == nil)
            try make("\(directory)/state", mode: mode)
            #expect(refusal("\(directory)/state")?.contains("'\(directory)/state' is writable by") == true)
        }
    }

    @Test("a state directory behind a link into a shared directory is refused")
    func linked() throws {
        try withDirectory { directory in
            try make("\(directory)/shared", mode: 0o777)
            try make("\(directory)/shared/state", mode: 0o700)
            try FileManager.default.createSymbolicLink(atPath: "\(directory)/link", withDestinationPath: "shared/state")
            #expect(refusal("\(directory)/link")?.contains("'\(directory)/shared' is writable by every user") == true)
            try FileManager.default.createSymbolicLink(atPath: "\(directory)/loop", withDestinationPath: "loop")
            #expect(refusal("\(directory)/loop") != nil)
        }
    }

    @Test("a state directory of another user is refused", .enabled(if: geteuid() == 0, "needs root"))
    func foreign() throws {
        try withDirectory { directory in
            try make("\(directory)/state", mode: 0o755)
            #expect(chown("\(directory)/state", 65_534, 65_534) == 0)
            #expect(refusal("\(directory)/state")?.contains("'\(directory)/state' belongs to user 65534") == true)
        }
    }

    @Test("without a state directory no unit is started")
    func none() async throws {
        let backend = try SystemdBackend(options: .init(environment: ["PREFECT_WORKER_SYSTEMD_MANAGER": "system"]))
        let job = SystemdWorkload(
            backend: backend,
            run: RunContext(
                flowRunID: "a", flowRunName: "a", claimID: "c", deploymentID: nil, reporter: SilentReporter()),
            configuration: try SystemdConfiguration(rendered: ["command": "true"]))
        let error = await #expect(throws: InfrastructureError.self) { _ = try await job.start() }
        #expect(error?.kind == .refused && error?.message.contains("--state-dir") == true)
    }

    // MARK: - Job variables

    /// The configuration of a run of a pool, prepared as by a worker.
    private func configuration(
        _ template: BaseJobTemplate = SystemdBackend.traits.baseJobTemplate, deployment: JSONValue = [:],
        run: JSONValue = [:], allowed: Set<String> = []
    ) async throws -> SystemdConfiguration {
        let source = try RenderSource(offline: [
            "work_pool": ["id": "p", "name": "p", "type": "systemd", "base_job_template": template.json],
            "flow": ["id": "f", "name": "f"],
            "deployment": ["id": "d", "name": "d", "flow_id": "f", "job_variables": deployment],
            "flow_run": ["id": "r", "name": "r", "flow_id": "f", "deployment_id": "d", "job_variables": run],
        ])
        let backend = try SystemdBackend(
            options: .init(interpreter: "python3", environment: ["PREFECT_WORKER_SYSTEMD_MANAGER": "system"]))
        let workload = try await JobPreparation(
            backend: backend, environment: [:], settingsEnvironment: [], allowedJobVariables: allowed,
            references: source.references
        ).workload(
            source.subject,
            for: RunContext(
                flowRunID: "r", flowRunName: "r", claimID: "c", deploymentID: "d", reporter: SilentReporter()))
        return try #require(workload as? SystemdWorkload).configuration
    }

    /// The default template with a default for a variable.
    private func template(_ name: String, default value: JSONValue) -> BaseJobTemplate {
        let template = SystemdBackend.traits.baseJobTemplate
        var variables = template.variables
        variables["properties"]?[name]?["default"] = value
        return BaseJobTemplate(jobConfiguration: template.jobConfiguration, variables: variables)
    }

    @Test(
        "a deployment or a flow run cannot set the user, the group or the sandbox of a run",
        arguments: [
            ("user", "root"), ("group", "root"), ("private_tmp", true), ("private_network", true),
            ("private_devices", true), ("no_new_privileges", true), ("protect_system", "no"), ("protect_home", "no"),
            ("read_write_paths", ["/etc"]), ("read_only_paths", ["/etc"]), ("inaccessible_paths", ["/etc"]),
        ] as [(String, JSONValue)])
    func privileges(_ name: String, _ value: JSONValue) async throws {
        for (deployment, run) in [([name: value], [:]), ([:], [name: value])] as [(JSONValue, JSONValue)] {
            let error = await #expect(throws: InfrastructureError.self) {
                _ = try await configuration(deployment: deployment, run: run)
            }
            #expect(error?.kind == .refused)
            #expect(error?.message.contains("'\(name)'") == true)
            #expect(error?.message.contains("--allow-job-variable \(name)") == true)
            _ = try await configuration(deployment: deployment, run: run, allowed: [name])
        }
    }

    @Test("the pool's default for the user applies, and job variables may repeat it")
    func defaults() async throws {
        let template = template("user", default: "nobody")
        #expect(try await configuration(template).resources.user == "nobody")
        #expect(try await configuration(template, deployment: ["user": "nobody"]).resources.user == "nobody")
        await #expect(throws: InfrastructureError.self) {
            _ = try await configuration(template, deployment: ["user": "root"])
        }
        // With null or an empty text, the run would have the manager's own user.
        for nothing in [JSONValue.null, ""] {
            await #expect(throws: InfrastructureError.self) {
                _ = try await configuration(template, deployment: ["user": nothing])
            }
        }
        #expect(try await configuration(deployment: ["user": nil]).resources.user == nil)
        #expect(
            try await configuration(template, run: ["user": "daemon"], allowed: ["user"]).resources.user == "daemon")
    }

    @Test(
        "a variable that fills a privileged field is restricted under any name, and refused without a placeholder")
    func placeholders() async throws {
        let original = SystemdBackend.traits.baseJobTemplate
        var fields = original.jobConfiguration
        fields["user"] = "{{ account }}"
        let template = BaseJobTemplate(jobConfiguration: fields, variables: original.variables)
        let refused = await #expect(throws: InfrastructureError.self) {
            _ = try await configuration(template, run: ["account": "root"])
        }
        #expect(refused?.message.contains("'account'") == true)
        #expect(
            try await configuration(template, run: ["account": "daemon"], allowed: ["account"]).resources.user
                == "daemon")
        let without = await #expect(throws: InfrastructureError.self) {
            _ = try await configuration(template, run: ["user": "root"], allowed: ["user"])
        }
        #expect(without?.message.contains("no placeholder") == true)
        // A run may still set unrelated variables.
        #expect(try await configuration(run: ["memory_max": "1G"]).resources.user == nil)
    }
}
