import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@testable import PrefectClient

@Suite("Fuzzed settings", .timeLimit(.minutes(Fuzz.minutes)))
struct SettingsFuzzTests {
    private static let lines = [
        "[api]\n", "[server.api]\n", "[[profiles]]\n", "[profiles.a]\n", "[profiles.\"b c\"]\n", "active = \"a\"\n",
        "url = \"http://h/api\"\n", "key = 'S3CRET'\n", "request_timeout = 5.5\n", "request_timeout = inf\n",
        "PREFECT_API_URL = \"x\"\n", "PREFECT_CLIENT_MAX_RETRIES = 99999999999999999999\n", "x.y.z = 1\n",
        "x = {a = 1}\n",
        "x = [1, \"a\", [true]]\n", "t = 1979-05-27T07:32:00Z\n", "t = 0000-99-99\n", "t = 1979-05-27Tx\n",
        "t = [1979-05-27 5, 1]\n",
        "x = [1, }\n",
        "t = 1979-05-27 07:32\n", "t = [07:32:00.5, 1979-05-27]\n", "s = \"\"\"\na\nb\"\"\"\n",
        "# comment\n", "home = \"~/x\"\n", "[tool.prefect]\n", "client.max_retries = -1\n",
        "profiles_path = \"p.toml\"\n",
        "extra = \"\\uD800\"\n", "f = 1e400\n", "i = 0xFFFFFFFFFFFFFFFFFF\n", "d = 00:99:00\n", "\u{FEFF}", "'' = 1\n",
    ]

    private static func document(_ random: inout FuzzRandom) -> String {
        let text = random.text(of: lines, upTo: 8)
        return random.oneIn(2) ? text : random.damaged(text)
    }

    @Test("a TOML file of any text is read, or refused with a one-line error that names the file")
    func toml() async throws {
        try await Fuzz.run(mostCases: 4000) { random in
            let text = Self.document(&random)
            do {
                let document = try TOMLDocument(parsing: text, path: "/etc/p.toml")
                _ = document.table(["api"])
                _ = try SettingsLayer(document: document)
                _ = try SettingsLayer(document: document, below: ["tool", "prefect"])
            } catch let error as SettingsError {
                try Self.check(error, names: "/etc/p.toml")
            }
        }
    }

    @Test("files and profiles of any text give settings, or a one-line error without secrets")
    func files() async throws {
        let directory = try SettingsDirectory()
        let names = ["work/prefect.toml", "work/pyproject.toml", "work/.env", "home/.prefect/profiles.toml"]
        try FileManager.default.createDirectory(
            atPath: directory.home + "/.prefect", withIntermediateDirectories: true)
        try await Fuzz.run(mostCases: 400) { random in
            for name in names {
                let path = "\(directory.path)/\(name)"
                try? FileManager.default.removeItem(atPath: path)
                if random.oneIn(2) { continue }
                let text = name.hasSuffix(".env") ? Self.dotenv(&random) : Self.document(&random)
                let bytes = random.oneIn(10) ? random.damaged(Array(text.utf8)) : Array(text.utf8)
                try Data(bytes).write(to: URL(filePath: path))
            }
            do {
                let settings = try directory.load(
                    [:], profile: random.oneIn(3) ? random.pick(["a", "b c", "", "\n"]) : nil)
                _ = (settings.environmentForJobs(), settings.customHeaders, settings.requestTimeout)
                try Fuzz.require(settings.warnings.allSatisfy { !$0.contains("\n") }, "a warning has two lines")
            } catch let error as SettingsError {
                try Self.check(error, names: nil)
            }
        }
    }

    private static func check(_ error: SettingsError, names file: String?) throws {
        let line = error.description
        try Fuzz.require(!line.contains { $0.isNewline && $0 != "\u{2028}" && $0 != "\u{85}" }, "two lines: \(line)")
        try Fuzz.require(file.map { line.contains($0) } ?? true, "the file is not named: \(line)")
        try Fuzz.require(!line.contains("S3CRET"), "a secret is shown: \(line)")
    }

    private static func dotenv(_ random: inout FuzzRandom) -> String {
        let pieces = [
            "PREFECT_API_URL", "PREFECT_CLIENT_MAX_RETRIES", "export ", "=", "\n", "'", "\"", "${", "${A:-b}", "}", "#",
            " ",
            "\\", "5", "A=b\n", "é",
        ]
        return random.text(of: pieces, upTo: 20)
    }

    @Test("a .env file of any text is read, and skipped lines have valid numbers")
    func dotenv() async throws {
        try await Fuzz.run(mostCases: 5000) { random in
            let text = random.oneIn(3) ? random.damaged(Self.dotenv(&random)) : Self.dotenv(&random)
            let file = DotenvFile(parsing: text, environment: ["A": "x"])
            let lines = text.unicodeScalars.count { $0 == "\n" || $0 == "\r" } + 1
            try Fuzz.require(file.skippedLines.allSatisfy { (1...lines).contains($0) }, "no such line")
        }
    }

    @Test("a setting accepts or refuses any text, and accepts the text that it forwards to jobs")
    func values() async throws {
        let parser = SettingParser(userHome: "/home/u", prefectHome: "/ph")
        let texts = [
            "PT20S", "P1DT2H", "-PT0.5S", "01:30:00", "3 days, 01:30:00", "2d", "1_000", " 5 ", "1e3", "504,500",
            "[504, 500]",
            "{\"a\": \"b\"}", "{\"a\": 5}", "a, b", "~/x", "$PREFECT_HOME/y", "debug", "yes", "\"{\\\"a\\\": 1}\"",
        ]
        try await Fuzz.run(mostCases: 12_000) { random in
            let setting = random.pick(SettingDefinition.all)
            let text =
                random.oneIn(3)
                ? random.text(of: FuzzRandom.trouble + texts, upTo: 3) : random.damaged(random.pick(texts))
            let input: SettingInput =
                random.oneIn(3) ? .typed((try? JSONValue(parsing: text)) ?? random.json()) : .text(text)
            guard let value = try? parser.value(of: input, as: setting.kind) else { return }
            // An element of a list may contain a comma, which the comma-separated text for jobs does not quote.
            if case .list = value { return }
            guard let forwarded = value.environmentText else { return }
            let again = try? parser.value(of: .text(forwarded), as: setting.kind)
            try Fuzz.require(again != nil, "\(setting.name): \(forwarded) is refused")
        }
    }

    @Test("any text gives a time span that can be added and written, or none")
    func durations() async throws {
        let texts = [
            "P1Y2M3W4DT5H6M7.5S", "P99999999999999999999D", "99999999999:59:59", "3 days, 01:30:00", "-P1D", "PT,5S",
        ]
        try await Fuzz.run(mostCases: 10_000) { random in
            let text = random.damaged(random.pick(texts))
            guard let span = Duration(settingText: text) else { return }
            let total = span + span
            try Fuzz.require(total - span == span, "\(text)")
            let written = span.iso8601
            try Fuzz.require(Duration(settingText: written) == span, "\(text) is \(written), which is something else")
        }
    }
}
