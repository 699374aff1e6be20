import Glibc
import Logging
import PrefectJSON
import Testing

@testable import WorkerLogging

@Suite("Log lines")
struct LogFormatterTests {
    private let time = Timestamp(microseconds: 1_700_000_000_007_000)

    private func line(
        _ format: LogFormat, level: Logger.Level = .info, logger: String = "prefect.workers.process.etl",
        _ message: String, metadata: Logger.Metadata = [:], redact: @escaping @Sendable (String) -> String = { $0 }
    ) -> String {
        let record = LogRecord(time: time, level: level, logger: logger, message: message, metadata: metadata)
        return String(decoding: LogFormatter(format: format, redact: redact).line(record), as: UTF8.self)
    }

    /// The human-readable line without its time.
    private func human(
        level: Logger.Level = .info, logger: String = "prefect", _ message: String, metadata: Logger.Metadata = [:]
    ) -> String {
        String(line(.human(colors: false), level: level, logger: logger, message, metadata: metadata).dropFirst(12))
    }

    private func json(_ message: String, metadata: Logger.Metadata = [:]) throws -> JSONValue {
        try JSONValue(parsing: line(.json, message, metadata: metadata))
    }

    @Test("a human-readable line has the local time, the level in seven columns, the logger and the message")
    func humanForm() {
        var seconds = time_t(time.wholeSeconds)
        var parts = tm()
        localtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 16)
        let length = strftime(&buffer, buffer.count, "%H:%M:%S", &parts)
        let clock = String(decoding: buffer[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
        #expect(
            line(.human(colors: false), "started") == "\(clock).007 | INFO    | prefect.workers.process.etl - started\n"
        )
    }

    @Test(
        "levels have Prefect's names",
        arguments: zip(
            Logger.Level.allCases,
            ["DEBUG  ", "DEBUG  ", "INFO   ", "INFO   ", "WARNING", "ERROR  ", "CRITICAL"]))
    func levels(level: Logger.Level, name: String) {
        #expect(human(level: level, "x") == " | \(name) | prefect - x\n")
    }

    @Test("a line about a flow run has the run's name in place of the logger")
    func flowRun() {
        let context: Logger.Metadata = ["flow_run_name": "tall-newt", "flow_run_id": "1f", "work_pool": "p"]
        #expect(human("exited", metadata: context) == " | INFO    | Flow run 'tall-newt' - exited\n")
    }

    @Test("additional metadata is at the end of the line, sorted")
    func details() {
        #expect(human("slow", metadata: ["b": "2", "a": "1"]) == " | INFO    | prefect - slow [a=1, b=2]\n")
    }

    @Test("only the level has a colour, and the columns stay the same")
    func colors() {
        #expect(line(.human(colors: true), level: .error, "x").contains(" | \u{1B}[31mERROR\u{1B}[0m   | prefect"))
    }

    @Test("external text can neither control the terminal nor start a line")
    func escapes() {
        let message = "a\u{1B}[2Jb\u{9B}1mc\rd\u{7F}\u{202E}e\n\tf\u{0}"
        #expect(human(message) == " | INFO    | prefect - a\\x1b[2Jb\\x9b1mc\\rd\\x7f\\u202ee\\n\\tf\\x00\n")
        let forged: Logger.Metadata = ["flow_run_name": "x\n12:00 | INFO"]
        #expect(human("m", metadata: forged) == " | INFO    | Flow run 'x\\n12:00 | INFO' - m\n")
        let name = "red\n12:00:00.000 | ERROR   | prefect.worker - The API key is needed\u{200F}"
        let lines = human("Flow run '\(name)' was taken").split(separator: "\n")
        #expect(lines.count == 1 && lines[0].contains("red\\n12:00") && lines[0].contains("needed\\u200f"))
        #expect(human("m", metadata: ["k\n": "\u{1B}v\n"]) == " | INFO    | prefect - m [k\\n=\\x1bv\\n]\n")
    }

    @Test("a JSON line is one object with its time in UTC")
    func jsonForm() {
        #expect(
            line(.json, level: .warning, "größer\n\"2\"", metadata: ["worker": "w", "flow_run_id": "1f", "n": "\(3)"])
                == #"{"timestamp":"2023-11-14T22:13:20.007Z","level":"WARNING","#
                + #""logger":"prefect.workers.process.etl","message":"größer\n\"2\"","#
                + #""flow_run_id":"1f","worker":"w","n":"3"}"# + "\n")
    }

    @Test("metadata keeps its structure in JSON and cannot replace a line's own members")
    func jsonMetadata() throws {
        let value = try json(
            "m",
            metadata: [
                "level": "fake", "count": .stringConvertible(3), "on": .stringConvertible(true),
                "list": ["a", ["k": "v"]],
            ])
        #expect(value["level"] == "INFO")
        #expect(value["metadata.level"] == "fake")
        #expect(value["count"] == 3)
        #expect(value["on"] == true)
        #expect(value["list"]?.serialized() == #"["a",{"k":"v"}]"#)
    }

    @Test("a secret is redacted in every part of a line, even with special characters", arguments: [true, false])
    func redaction(isJSON: Bool) {
        let secret = "p\"w\n\u{1B}1"
        let text = line(
            isJSON ? .json : .human(colors: false), logger: "log.\(secret)", "key \(secret) used",
            metadata: ["url": "http://\(secret)@host", "all": ["x", ["y": .string(secret)]]],
            redact: { $0.split(separator: secret, omittingEmptySubsequences: false).joined(separator: "****") })
        #expect(!text.contains("p\"w"))
        #expect(!text.contains(#"p\"w"#))
        #expect(text.contains("key **** used"))
        #expect(text.contains("log.****"))
        #expect(text.contains("http://****@host"))
    }

    @Test("a message that is too long is cut at a character boundary")
    func truncation() throws {
        let message = "x" + String(repeating: "é", count: LogFormatter.longestMessage)
        let text = try #require(try json(message)["message"]?.stringValue)
        #expect(text.utf8.count < LogFormatter.longestMessage + 40)
        #expect(text.hasSuffix("é… (262146 more bytes)"))
    }
}

@Suite("Log settings")
struct LogSettingsTests {
    @Test("the level setting accepts its names in any case, and no other names")
    func levelNames() {
        #expect(Logger.Level(prefectName: "DEBUG") == .debug)
        #expect(Logger.Level(prefectName: "info") == .info)
        #expect(Logger.Level(prefectName: "Warning") == .warning)
        #expect(Logger.Level(prefectName: "ERROR") == .error)
        #expect(Logger.Level(prefectName: "CRITICAL") == .critical)
        #expect(Logger.Level(prefectName: "LOUD") == nil)
    }

    @Test("colours need a terminal, and the setting, NO_COLOR or a dumb terminal disables them")
    func colors() {
        let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        let pipe = TestPipe()
        defer { close(terminal) }
        #expect(LogColors.areWanted(descriptor: terminal, isEnabled: true, environment: ["NO_COLOR": ""]))
        #expect(!LogColors.areWanted(descriptor: terminal, isEnabled: false, environment: [:]))
        #expect(!LogColors.areWanted(descriptor: terminal, isEnabled: true, environment: ["NO_COLOR": "1"]))
        #expect(!LogColors.areWanted(descriptor: terminal, isEnabled: true, environment: ["TERM": "dumb"]))
        #expect(!LogColors.areWanted(descriptor: pipe.writingEnd, isEnabled: true, environment: [:]))
    }
}
