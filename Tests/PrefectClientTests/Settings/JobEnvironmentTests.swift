import FoundationEssentials
import PrefectClient
import Testing

@Suite("The environment for jobs")
struct JobEnvironmentTests {
    struct Recorded: Codable, Sendable {
        let env: [String: String]
        let files: [String: String]
        let expected: [[String]]
    }

    @Test("jobs get the same variables as from Prefect, in the same order")
    func recorded() throws {
        let lines = recordedSettings.split(separator: "\n")
        #expect(lines.count > 60)
        for line in lines {
            let recorded = try JSONDecoder().decode(Recorded.self, from: Data(line.utf8))
            let directory = try SettingsDirectory(recorded.files)
            let forwarded = try directory.load(recorded.env).environmentForJobs()
            let expected = recorded.expected.map { $0.map { $0.replacing("@DIR@", with: directory.path) } }
            #expect(forwarded.map { [$0.name, $0.value] } == expected, "\(line)")
        }
    }

    @Test("a job gets the same variables from a worker's environment as from the Python worker")
    func worker() throws {
        let directory = try SettingsDirectory()
        let settings = try PrefectSettings.load(
            environment: [
                "PATH": "/usr/bin:/bin", "HOME": "/home/worker", "PREFECT_HOME": "/home/worker/.prefect",
                "PREFECT_API_URL": "http://127.0.0.1:4200/api", "PREFECT_LOGGING_LEVEL": "INFO",
                "PREFECT_WORKER_QUERY_SECONDS": "5", "PREFECT_CLIENT_CUSTOM_HEADERS": #"{"X-A":"b"}"#,
                "LC_CTYPE": "C.UTF-8",
            ], workingDirectory: directory.work)
        #expect(
            settings.environmentForJobs().map { "\($0.name)=\($0.value)" } == [
                "PREFECT_HOME=/home/worker/.prefect", "PREFECT_API_URL=http://127.0.0.1:4200/api",
                #"PREFECT_CLIENT_CUSTOM_HEADERS={"X-A": "b"}"#, "PREFECT_LOGGING_LEVEL=INFO",
                "PREFECT_SERVER_EPHEMERAL_ENABLED=True", "PREFECT_WORKER_QUERY_SECONDS=5.0",
            ])
    }

    @Test("secrets are forwarded to jobs in plain text")
    func secrets() throws {
        let settings = try settings(["PREFECT_API_KEY": "pnu_1", "PREFECT_API_AUTH_STRING": "u:p"])
        #expect(settings.jobVariables == ["PREFECT_API_KEY": "pnu_1", "PREFECT_API_AUTH_STRING": "u:p"])
    }

    @Test("log levels that debug mode overrides are not forwarded to jobs")
    func debugMode() throws {
        let settings = try settings([
            "PREFECT_DEBUG_MODE": "1", "PREFECT_LOGGING_LEVEL": "INFO", "PREFECT_LOGGING_INTERNAL_LEVEL": "INFO",
            "PREFECT_SERVER_LOGGING_LEVEL": "info",
        ])
        #expect(settings.jobVariables == ["PREFECT_DEBUG_MODE": "True", "PREFECT_SERVER_LOGGING_LEVEL": "INFO"])
    }

    @Test("a database URL that refers to the password is not forwarded to jobs")
    func databaseURL() throws {
        let settings = try settings([
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": "x://${PREFECT_SERVER_DATABASE_PASSWORD}",
            "PREFECT_API_DATABASE_PASSWORD": "pw",
        ])
        #expect(settings.jobVariables == ["PREFECT_SERVER_DATABASE_PASSWORD": "pw"])
    }

    @Test("unknown variables and numbers that are not finite are not forwarded")
    func leftOut() throws {
        #expect(try settings(["PREFECT_WORKERS": "x", "PREFECT_SERVER_DATABASE_TIMEOUT": "inf"]).jobVariables.isEmpty)
    }
}
