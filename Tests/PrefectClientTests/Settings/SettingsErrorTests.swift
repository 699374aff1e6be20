import FoundationEssentials
import PrefectClient
import Testing

@Suite("Refused settings")
struct SettingsErrorTests {
    @Test("a file that is not TOML is refused with its line, even if another source overrides its values")
    func malformed() throws {
        let directory = try SettingsDirectory(["work/prefect.toml": "[api]\nurl = \n"])
        #expect(
            directory.refusal(["PREFECT_API_URL": "x"]).hasPrefix(
                "@DIR@/work/prefect.toml is not valid TOML: line 2, column 7: "))
        let pyproject = try SettingsDirectory(["work/pyproject.toml": "[project\nname = \"x\"\n"])
        #expect(pyproject.refusal().hasPrefix("@DIR@/work/pyproject.toml is not valid TOML: line 1, column 9: "))
        let nul = try SettingsDirectory(["work/prefect.toml": "a = 1\nb = \"\0\"\n"])
        #expect(nul.refusal().contains("line 2, column 1: the line holds a NUL character"))
    }

    @Test(
        "infinite, undefined and excessive numbers are refused with the setting's name and range",
        arguments: ["inf", "nan", "1e300", "-inf"])
    func outOfReach(value: String) {
        for name in [
            "PREFECT_API_REQUEST_TIMEOUT", "PREFECT_CLIENT_RETRY_JITTER_FACTOR",
            "PREFECT_LOGGING_TO_API_BATCH_INTERVAL",
            "PREFECT_WORKER_HEARTBEAT_SECONDS", "PREFECT_WORKER_QUERY_SECONDS", "PREFECT_WORKER_PREFETCH_SECONDS",
            "PREFECT_WORKER_CANCELLATION_POLL_SECONDS",
        ] {
            let refusal = (try? SettingsDirectory())?.refusal([name: value]) ?? ""
            #expect(refusal.hasPrefix("\(name) is not valid: expected a number"))
            // Prefect's own range has no upper limit and is checked first.
            #expect(refusal.contains(" and at most 1000000") || refusal.contains("a number of at least 0, found"))
        }
    }

    @Test("a .env file that expands to gigabytes is refused with an error that names the file")
    func expansion() throws {
        let lines = (1...40).map { "A\($0)=${A\($0 - 1)}${A\($0 - 1)}" }
        let directory = try SettingsDirectory(["work/.env": "A0=0123456789\n" + lines.joined(separator: "\n")])
        #expect(
            directory.refusal()
                == "@DIR@/work/.env cannot be read: its references expand to more than 1048576 bytes; shorten them")
        let fitting = try SettingsDirectory(["work/.env": "A0=abc\n" + lines.prefix(10).joined(separator: "\n")])
        #expect(fitting.refusal() == "accepted")
    }

    @Test("a settings file above the size limit is not read")
    func tooLarge() throws {
        let directory = try SettingsDirectory(["work/prefect.toml": String(repeating: "# comment\n", count: 420_000)])
        #expect(directory.refusal() == "@DIR@/work/prefect.toml cannot be read: it is larger than 4194304 bytes")
    }

    @Test(
        "a TOML file that is nested too deeply is refused with its position",
        arguments: [
            String(repeating: "a.", count: 100_000) + "a = 1", "[" + String(repeating: "a.", count: 100_000) + "a]",
            "x = " + String(repeating: "[", count: 100_000), "x = " + String(repeating: "{a=", count: 100_000),
            "x = {" + String(repeating: "a.", count: 100_000) + "a = 1}",
        ])
    func nested(text: String) throws {
        let refusal = try SettingsDirectory(["work/prefect.toml": "y = 1\n" + text]).refusal()
        #expect(refusal.hasPrefix("@DIR@/work/prefect.toml is not valid TOML: line 2, column "))
        #expect(refusal.hasSuffix("parts") || refusal.hasSuffix("levels"))
    }

    @Test(
        "a table without a name is refused with its position",
        arguments: [
            ("a = 1\n[=]x]\n", 2, 2), ("[.a]", 1, 2), ("[[ # x\n", 1, 4), ("x = [\n  [+1] # [\n]\n[\n", 4, 2),
            ("s = \"\"\"\n[=]\n\\\"\"\"\"\nl = '''\n[=]''''\n[é]", 6, 2), ("[[[a]]]", 1, 3),
        ])
    func nameless(text: String, line: Int, column: Int) throws {
        let refusal = try SettingsDirectory(["work/prefect.toml": text]).refusal()
        #expect(
            refusal == "@DIR@/work/prefect.toml is not valid TOML: line \(line), column \(column): "
                + "a name is expected after '['")
    }

    @Test(
        "a date with a missing or incomplete hour is refused with its position",
        arguments: [
            "1979-05-27Tx:", "[1979-05-27t-5:00]", "1979-05-27 5\n", "[1979-05-27 5, 1]",
        ])
    func hourless(value: String) throws {
        let refusal = try SettingsDirectory(["work/prefect.toml": "x = 1\n1979-05-27Tx = \(value)"]).refusal()
        #expect(refusal.contains("is not valid TOML: line 2, column "))
        #expect(refusal.hasSuffix("expected after the date") && refusal.contains(": an hour "))
    }

    @Test(
        "a character that cannot begin a value is refused with its position",
        arguments: [("x = [1, }", 9), ("x = [\u{2028}]", 6), ("x = [{a = 1}, \u{85}]", 15), ("é = 1", 1)])
    func noValue(text: String, column: Int) throws {
        let refusal = try SettingsDirectory(["work/prefect.toml": text]).refusal()
        #expect(refusal.hasPrefix("@DIR@/work/prefect.toml is not valid TOML: line 1, column \(column): a value or "))
    }

    @Test(
        "a bracket or an equals sign within a number or a date is refused with its position",
        arguments: [
            ("x = 1979-05-2= 5\n", 5), ("x = [1979-05-2[ 5 ]", 6), ("x = [1, 1979-05-2{ 5]", 9),
            ("x = {a = 1979-_05-2= 5}", 10), ("x =1=2", 4),
        ])
    func bracketWithin(text: String, column: Int) throws {
        let refusal = try SettingsDirectory(["work/prefect.toml": text]).refusal()
        #expect(
            refusal == "@DIR@/work/prefect.toml is not valid TOML: line 1, column \(column): "
                + "a number or a date ends before '=' or a bracket")
    }

    @Test("a key that looks like a number or a date is accepted")
    func keysOfDigits() throws {
        let text = "1979-05-2= 5\nx = { 1979-05-2= 5, 7=8 }\n[api]\nurl = \"http://h/api\"\n"
        #expect(try SettingsDirectory(["work/prefect.toml": text]).load().apiURL == "http://h/api")
    }

    @Test("a quote within a value is refused with its position")
    func quoteWithin() throws {
        let refusal = try SettingsDirectory(["work/prefect.toml": "x = 1979-'5-27 5\n"]).refusal()
        #expect(refusal.contains("line 1, column 10: a quote cannot be within a value"))
    }

    @Test("brackets in values and text do not begin a table")
    func brackets() throws {
        let text = #"""
            x = [
              [+1], [ # [=
                {a = [{b = 1}]}, "[=]", '[=]' ]
            ]
            s = """
            [=]
            ""\""""
            [ "tool" . 'prefect' ] # [=
            api.url = "http://h/api"
            t = [ 1979-05-27 07:32:00, 1979-05-27T07:32:00Z, 1979-05-27 , 1 , 2,3 ]
            """#
        let settings = try SettingsDirectory(["work/pyproject.toml": text]).load()
        #expect(settings.apiURL == "http://h/api")
    }

    @Test(
        "an error in a TOML file does not quote the file",
        arguments: [
            "key = pnu_S3CRETVALUE99", "key = \"pnu_S3CRETVALUE99",
            "key = \"pnu_S3CRETVALUE99\"\nkey = \"pnu_S3CRETVALUE99\"",
            "key = \"pnu_S3CRETVALUE99\\q\"", "key = \"x\" pnu_S3CRETVALUE99",
            "\"pnu_S3CRETVALUE99\" = 1\n\"pnu_S3CRETVALUE99\" = 2",
            "key = 3141592653589793238462643383279", "[pnu_S3CRETVALUE99",
        ])
    func quotesNothing(text: String) throws {
        let refusal = try SettingsDirectory(["work/prefect.toml": "[api]\n\(text)\n"]).refusal()
        #expect(refusal.contains("is not valid TOML: line "))
        #expect(!refusal.contains("S3CRET"))
        #expect(!refusal.contains("314159"))
        #expect(!refusal.contains("\n"))
    }

    @Test("a file that cannot be read is refused")
    func unreadable() throws {
        for name in [".env", "prefect.toml", "pyproject.toml"] {
            let directory = try SettingsDirectory()
            try Data([0x41, 0x3D, 0xFF, 0xFE]).write(to: URL(filePath: "\(directory.work)/\(name)"))
            #expect(directory.refusal() == "@DIR@/work/\(name) cannot be read: it is not UTF-8 text")
        }
    }

    @Test("a directory with the name of a settings file is ignored")
    func directory() throws {
        let directory = try SettingsDirectory(["work/.env/pyvenv.cfg": "x", "work/prefect.toml/y": "z"])
        #expect(try directory.load().warnings.isEmpty)
    }

    @Test("a value where a group of settings belongs is refused")
    func group() throws {
        let directory = try SettingsDirectory(["work/pyproject.toml": "[tool.prefect]\nserver.api = 5\n"])
        #expect(
            directory.refusal()
                == "'tool.prefect.server.api' in @DIR@/work/pyproject.toml groups settings and must be a table")
    }

    @Test(
        "the error for a refused value names the setting, the expected value and the source",
        arguments: [
            (
                ["PREFECT_API_ENABLE_HTTP2": "maybe"],
                #"PREFECT_API_ENABLE_HTTP2 is not valid: expected true or false, found "maybe" (set by PREFECT_API_ENABLE_HTTP2 in the environment)"#
            ),
            (
                ["PREFECT_API_ENABLE_METRICS": "2"],
                #"PREFECT_SERVER_METRICS_ENABLED is not valid: expected true or false, found "2" (set by PREFECT_API_ENABLE_METRICS in the environment)"#
            ),
            (
                ["PREFECT_CLIENT_MAX_RETRIES": "-1"],
                #"PREFECT_CLIENT_MAX_RETRIES is not valid: expected a whole number of at least 0, found "-1" (set by PREFECT_CLIENT_MAX_RETRIES in the environment)"#
            ),
            (
                ["PREFECT_LOGGING_LEVEL": "loud\nline"],
                #"PREFECT_LOGGING_LEVEL is not valid: expected DEBUG, INFO, WARNING, ERROR or CRITICAL, found "loud\nline" (set by PREFECT_LOGGING_LEVEL in the environment)"#
            ),
            (
                ["PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": "60"],
                #"PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD is not valid: expected a number of seconds or a time span such as PT20S, longer than PT1H, found "60" (set by PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD in the environment)"#
            ),
        ])
    func messages(environment: [String: String], expected: String) throws {
        #expect(try SettingsDirectory().refusal(environment) == expected)
    }

    @Test("the error for a value from a file names the key and the file")
    func messageForFile() throws {
        let directory = try SettingsDirectory(["work/prefect.toml": "worker.query_seconds = \"soon\"\n"])
        #expect(
            directory.refusal()
                == #"PREFECT_WORKER_QUERY_SECONDS is not valid: expected a number, found "soon" (set by worker.query_seconds in @DIR@/work/prefect.toml)"#
        )
    }

    @Test("the value of a secret, a header or a text is never quoted")
    func neverQuoted() throws {
        let toml = try SettingsDirectory(["work/prefect.toml": "api.key = 987654321\n"]).refusal()
        #expect(
            toml == "PREFECT_API_KEY is not valid: expected a string (set by api.key in @DIR@/work/prefect.toml)")
        let headers = try SettingsDirectory().refusal(["PREFECT_CLIENT_CUSTOM_HEADERS": #"{"Authorization": "s3cr3t"#])
        #expect(headers.hasPrefix("PREFECT_CLIENT_CUSTOM_HEADERS is not valid: expected a JSON object or a table"))
        #expect(!headers.contains("s3cr3t"))
        let number = try SettingsDirectory().refusal(["PREFECT_CLIENT_CUSTOM_HEADERS": #"{"X-Token": 987654321}"#])
        #expect(number.contains("the value of 'X-Token' is not a string"))
        #expect(!number.contains("987654321"))
    }

    @Test(
        "numbers outside the limits of the worker are refused",
        arguments: [
            ("PREFECT_WORKER_QUERY_SECONDS", "0"), ("PREFECT_WORKER_QUERY_SECONDS", "-1"),
            ("PREFECT_WORKER_QUERY_SECONDS", "nan"), ("PREFECT_WORKER_QUERY_SECONDS", "inf"),
            ("PREFECT_WORKER_QUERY_SECONDS", "1e30"), ("PREFECT_WORKER_HEARTBEAT_SECONDS", "0"),
            ("PREFECT_WORKER_PREFETCH_SECONDS", "-0.5"), ("PREFECT_WORKER_CANCELLATION_POLL_SECONDS", "0"),
            ("PREFECT_WORKER_WEBSERVER_PORT", "65536"), ("PREFECT_WORKER_WEBSERVER_PORT", "-1"),
            ("PREFECT_CLIENT_METRICS_PORT", "70000"), ("PREFECT_API_REQUEST_TIMEOUT", "0"),
            ("PREFECT_API_REQUEST_TIMEOUT", "inf"), ("PREFECT_CLIENT_RETRY_JITTER_FACTOR", "inf"),
            ("PREFECT_LOGGING_TO_API_BATCH_INTERVAL", "-1"), ("PREFECT_LOGGING_TO_API_MAX_LOG_SIZE", "0"),
            ("PREFECT_CLOUD_MAX_LOG_SIZE", "0"),
        ])
    func limits(name: String, text: String) throws {
        let refusal = try SettingsDirectory().refusal([name: text])
        #expect(refusal.hasPrefix("\(name) is not valid: expected "), "\(refusal)")
        #expect(refusal.hasSuffix("(set by \(name) in the environment)"))
    }

    @Test("settings that allow zero accept it")
    func zeros() throws {
        let settings = try settings([
            "PREFECT_WORKER_PREFETCH_SECONDS": "0", "PREFECT_WORKER_WEBSERVER_PORT": "0",
            "PREFECT_CLIENT_MAX_RETRIES": "0",
            "PREFECT_CLIENT_RETRY_JITTER_FACTOR": "0", "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0",
        ])
        #expect(settings.worker.prefetchSeconds == 0)
        #expect(settings.apiLogging.batchInterval == .zero)
    }

    @Test("a batch of log records that cannot hold the longest record is refused")
    func logBatch() throws {
        let refusal = try SettingsDirectory().refusal(["PREFECT_LOGGING_TO_API_BATCH_SIZE": "5"])
        #expect(
            refusal
                == "PREFECT_LOGGING_TO_API_BATCH_SIZE is not valid: expected at least the 1000000 of PREFECT_LOGGING_TO_API_MAX_LOG_SIZE, found 5 (set by PREFECT_LOGGING_TO_API_BATCH_SIZE in the environment)"
        )
        #expect(
            try SettingsDirectory().refusal(["PREFECT_LOGGING_TO_API_MAX_LOG_SIZE": "9000000"]).contains(
                "at most the 4000000"))
    }
}
