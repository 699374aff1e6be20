import PrefectJSON
import TestSupport
import Testing

@Suite("The command template on an existing pool", .bounded)
struct TemplateCommandTests {
    /// Runs the command without a terminal.
    private func run(_ api: FakePrefectAPI, _ directory: String, _ arguments: String...) async throws
        -> WorkerProgram.Outcome
    {
        try await WorkerProgram.run(
            ["template"] + arguments,
            environment: WorkerProgram.environment(home: directory, ["PREFECT_API_URL": api.url]),
            in: directory)
    }

    private func template(_ api: FakePrefectAPI, _ directory: String) async throws -> JSONValue {
        let outcome = try await run(api, directory, "process")
        return try JSONValue(parsing: outcome.output.joined(separator: "\n"))
    }

    @Test("the difference to the type's template is a unified diff with status 1; the same template has status 0")
    func diff() async throws {
        try await withFakePrefectAPI { api in
            try await withTemporaryDirectory { directory in
                var template = try await template(api, directory)
                api.addPool(name: "same", template: template)
                let same = try await run(api, directory, "process", "--diff", "--pool", "same")
                #expect(same.status == .exited(0) && same.output.isEmpty, "\(same.text)")

                template["job_configuration"]?["command"] = "mine"
                api.addPool(name: "other", template: template)
                let other = try await run(api, directory, "process", "--diff", "--pool", "other")
                #expect(other.status == .exited(1) && other.errors.isEmpty, "\(other.text)")
                #expect(other.output.prefix(2) == ["--- work pool other", "+++ type process"])
                #expect(other.output.contains { $0.hasPrefix("@@ -") })
                #expect(other.output.contains(#"-    "command": "mine","#), "\(other.text)")
                #expect(other.output.contains(#"+    "command": "{{ command }}","#), "\(other.text)")

                try TestFile.write(template.serialized(), to: directory + "/mine.json")
                let file = try await run(api, directory, "--file", "mine.json", "--diff", "--pool", "other")
                #expect(file.status == .exited(0), "\(file.text)")
                let missing = try await run(api, directory, "process", "--diff", "--pool", "none")
                #expect(missing.status == .exited(2) && missing.errors.count == 1, "\(missing.text)")
                let type = try await run(api, directory, "docker", "--diff", "--pool", "same")
                #expect(type.status == .exited(2) && type.text.contains("has the type 'process'"), "\(type.text)")
            }
        }
    }

    @Test("apply adds values without a question, and needs --yes without a terminal when values would be lost")
    func apply() async throws {
        try await withFakePrefectAPI { api in
            try await withTemporaryDirectory { directory in
                let template = try await template(api, directory)
                func stored(_ pool: String) -> JSONValue? { api.pool(pool)?.baseJobTemplate }
                var older = template
                older["variables"]?["properties"]?["stream_output"] = nil
                older["job_configuration"]?["stream_output"] = nil
                api.addPool(name: "older", template: older)
                let added = try await run(api, directory, "process", "--apply", "--pool", "older")
                #expect(added.status == .exited(0) && added.text.contains("+++ type process"), "\(added.text)")
                #expect(stored("older") == template)
                let again = try await run(api, directory, "process", "--apply", "--pool", "older")
                #expect(again.status == .exited(0) && again.text.contains("already the same"), "\(again.text)")

                var customised = template
                customised["variables"]?["properties"]?["mine"] = ["type": "string"]
                api.addPool(name: "customised", template: customised)
                let refused = try await run(api, directory, "process", "--apply", "--pool", "customised")
                #expect(refused.status == .exited(1) && refused.errors.count == 1, "\(refused.text)")
                #expect(refused.text.contains("variables.properties.mine") && refused.text.contains("--yes"))
                #expect(stored("customised") == customised)
                let forced = try await run(api, directory, "process", "--apply", "--pool", "customised", "--yes")
                #expect(forced.status == .exited(0), "\(forced.text)")
                #expect(stored("customised") == template)
            }
        }
    }

    @Test("flags that do not fit together are a wrong command line")
    func flags() async throws {
        try await withFakePrefectAPI { api in
            try await withTemporaryDirectory { directory in
                let wrong: [[String]] = [
                    [], ["process", "--file", "x"], ["process", "--pool", "p"], ["process", "--diff"],
                    ["process", "--diff", "--apply", "--pool", "p"],
                ]
                for arguments in wrong {
                    let outcome = try await WorkerProgram.run(
                        ["template"] + arguments,
                        environment: WorkerProgram.environment(home: directory, ["PREFECT_API_URL": api.url]),
                        in: directory)
                    #expect(outcome.status == .exited(64), "\(arguments): \(outcome.text)")
                }
            }
        }
    }
}
