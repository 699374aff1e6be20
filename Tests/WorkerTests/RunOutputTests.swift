import BackendKit
import PrefectJSON
import Synchronization
import Testing

@testable import WorkerKit

@Suite("Output of runs in another form")
struct RunOutputTests {
    /// A sink that accepts at most `portion` bytes in a call, and no bytes in every second call. By default, it accepts
    /// all bytes of every call.
    private final class Place: OutputSink {
        private let state: Mutex<(bytes: [UInt8], calls: Int)> = Mutex(([], 0))
        private let portion: Int

        init(portion: Int = .max) { self.portion = portion }

        var text: String { state.withLock { String(decoding: $0.bytes, as: UTF8.self) } }

        func write(_ bytes: ArraySlice<UInt8>, of source: OutputSource, waitingUpTo limit: Duration) -> Int? {
            state.withLock { state in
                state.calls += 1
                if portion != .max, state.calls.isMultiple(of: 2) { return 0 }
                let taken = bytes.prefix(portion)
                state.bytes += taken
                return taken.count
            }
        }
    }

    private static func source(_ run: String, _ stream: OutputSource.Stream = .output) -> OutputSource {
        OutputSource(flowRunID: run, flowRunName: "name\n{}", stream: stream)
    }

    private static let forged = #"{"level":"ERROR","message":"forged","flow_run_id":"other"}"#

    @Test("each line is one JSON object with the run's id, whatever the run prints")
    func json() throws {
        let place = Place()
        let sink = RunOutputSink(form: .json, output: place, errors: Place())
        let bytes = Array("plain\n\(Self.forged)\r\n\n\u{1B}[2J\u{9B}\n".utf8) + [0xFF, 0x0A]
        #expect(sink.write(bytes[...], of: Self.source("r"), waitingUpTo: .zero) == bytes.count)
        let lines = place.text.split(separator: "\n")
        let records = try lines.map { try JSONValue(parsing: String($0)) }
        #expect(
            records.map { $0["message"]?.stringValue } == [
                "plain", Self.forged, "", "\u{1B}[2J\u{9B}", "\u{FFFD}",
            ])
        #expect(records.allSatisfy { $0["flow_run_id"] == "r" && $0["stream"] == "stdout" && $0["level"] == "INFO" })
        #expect(!place.text.unicodeScalars.contains { $0 == "\u{1B}" || $0 == "\u{9B}" })
    }

    @Test("lines of several runs stay whole when the sink accepts only a few bytes at a time", arguments: [1, 7, 200])
    func pieces(portion: Int) throws {
        let place = Place(portion: portion)
        let sink = RunOutputSink(form: .json, output: place, errors: Place())
        var waiting = ["a": "a1\na2\na3\n", "b": "b1\nb2\nb3 without an end"].mapValues { Array($0.utf8)[...] }
        var turns = 0
        while waiting.values.contains(where: { !$0.isEmpty }), turns < 100_000 {
            turns += 1
            let run = turns.isMultiple(of: 3) ? "a" : "b"
            guard let rest = waiting[run], !rest.isEmpty else { continue }
            let count = try #require(sink.write(rest, of: Self.source(run), waitingUpTo: .zero))
            waiting[run] = rest.dropFirst(count)
        }
        let records = try place.text.split(separator: "\n").map { try JSONValue(parsing: String($0)) }
        for (run, lines) in ["a": ["a1", "a2", "a3"], "b": ["b1", "b2", "b3 without an end"]] {
            let own = records.filter { $0["flow_run_id"]?.stringValue == run }
            #expect(own.compactMap { $0["message"]?.stringValue } == lines)
        }
    }

    @Test(
        "a terminal receives colours and lines, but no other control sequences",
        arguments: [
            ("plain é北😀\ttab\n", "plain é北😀\ttab\n"), ("50%\r100%\u{8}\n", "50%\r100%\u{8}\n"),
            ("\u{1B}[1;31mred\u{1B}[0m\u{1B}[38:5:1mx\u{1B}[m\n", "\u{1B}[1;31mred\u{1B}[0m\u{1B}[38:5:1mx\u{1B}[m\n"),
            ("\u{1B}[2J\u{1B}[H", "\\x1b[2J\\x1b[H"), ("\u{1B}]0;title\u{7}", "\\x1b]0;title\\x07"),
            ("\u{9B}2J\u{9D}0;t", "\\x9b2J\\x9d0;t"),
            ("\u{1B}[?1049h\u{1B}c\u{E}\u{7F}", "\\x1b[?1049h\\x1bc\\x0e\\x7f"),
            ("\u{1B}[31", "\\x1b[31"), ("\u{1B}", "\\x1b"),
        ])
    func terminal(printed: String, shown: String) {
        let errors = Place()
        let sink = RunOutputSink(form: .terminal, output: Place(), errors: errors)
        let bytes = Array(printed.utf8)
        #expect(sink.write(bytes[...], of: Self.source("r", .errors), waitingUpTo: .zero) == bytes.count)
        #expect(errors.text == shown)
    }

    @Test("the password of the API's URL is neither written to the ledger nor read from it")
    func password() throws {
        let json: JSONValue = [
            "flow_run_id": "r", "flow_run_name": "n", "api": "http://me:hunter2@host/api", "pool": "p",
            "worker_type": "process", "stage": "running", "claim": "c", "submission": "s",
        ]
        let entry = try LedgerEntry(json: JSONFields(json))
        #expect(entry.api == "http://me:********@host/api")
        #expect(!entry.json.serialized().contains("hunter2"))
    }
}
