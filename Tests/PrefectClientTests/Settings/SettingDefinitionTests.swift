import Testing

@testable import PrefectClient

@Suite("The table of settings")
struct SettingDefinitionTests {
    @Test("the table has all of Prefect's settings, each once")
    func complete() {
        let all = SettingDefinition.all
        #expect(all.count == 226)
        #expect(Set(all.map(\.path)).count == 226)
        #expect(Set(all.flatMap(\.environmentNames)).count == all.reduce(0) { $0 + $1.environmentNames.count })
        #expect(all.count { $0.environmentNames.count == 2 } == 105)
    }

    @Test("the table has the order in which Prefect forwards settings")
    func order() throws {
        let names = SettingDefinition.all.map(\.name)
        #expect(
            names.prefix(5) == [
                "PREFECT_HOME", "PREFECT_PROFILES_PATH", "PREFECT_DEBUG_MODE", "PREFECT_API_URL",
                "PREFECT_API_AUTH_STRING",
            ])
        #expect(names.suffix(2) == ["PREFECT_UI_URL", "PREFECT_SILENCE_API_URL_MISCONFIGURATION"])
        let landmarks = [
            "PREFECT_CLIENT_MAX_RETRIES", "PREFECT_LOGGING_LEVEL", "PREFECT_SERVER_API_HOST",
            "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED", "PREFECT_SERVER_UI_ENABLED", "PREFECT_TASKS_REFRESH_CACHE",
            "PREFECT_WORKER_QUERY_SECONDS",
        ]
        let positions = try landmarks.map { try #require(names.firstIndex(of: $0)) }
        #expect(positions == positions.sorted())
    }

    @Test("only credentials are secret")
    func secrets() {
        #expect(
            SettingDefinition.all.filter { $0.kind == .secret }.map(\.name) == [
                "PREFECT_API_AUTH_STRING", "PREFECT_API_KEY", "PREFECT_SERVER_API_AUTH_STRING",
                "PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DATABASE_PASSWORD",
            ])
    }

    @Test("a default has its setting's kind", arguments: SettingDefinition.all.filter { $0.defaultText != nil })
    func defaults(setting: SettingDefinition) throws {
        let parser = SettingParser(userHome: "/home/u", prefectHome: "/home/u/.prefect")
        let value = try #require(try parser.value(of: .text(setting.defaultText ?? ""), as: setting.kind))
        let expected = setting.path == "home" ? "/home/u/.prefect" : setting.defaultText
        #expect(value.environmentText == expected)
    }

    @Test("settings have the same kinds as in Prefect")
    func kinds() {
        let kinds: [(String, SettingKind)] = [
            ("cli.prompt", .bool), ("api.request_timeout", .float()), ("flows.heartbeat_frequency", .int(.atLeast(30))),
            ("logging.config_path", .path), ("plugins.allow", .stringSet), ("logging.level", .logLevel),
            ("logging.to_api.when_missing_flow", .choice(["warn", "error", "ignore"])),
            ("server.api.csrf_token_expiration", .duration), ("server.services.late_runs.after_seconds", .seconds()),
            ("server.concurrency.initial_deployment_lease_duration", .float(.between(30, 3600))),
        ]
        for (path, kind) in kinds { #expect(SettingDefinition.byPath[path]?.kind == kind, "\(path)") }
    }

    @Test("only existing settings have a description of their effect, and all worker settings have one")
    func meanings() {
        for path in SettingDefinition.meanings.keys { #expect(SettingDefinition.byPath[path] != nil, "\(path)") }
        for setting in SettingDefinition.all where setting.path.hasPrefix("worker.") {
            #expect(setting.meaning != nil, "\(setting.path)")
        }
        // The worker ignores these settings, so their description must state it.
        for path in ["worker.enable_cancellation", "runner.crash_on_cancellation_failure"] {
            #expect(SettingDefinition.byPath[path]?.meaning?.hasPrefix("No effect") == true, "\(path)")
        }
    }
}
