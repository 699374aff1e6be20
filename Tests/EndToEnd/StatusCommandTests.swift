import Foundation
import PrefectJSON
import TestSupport
import Testing

@Suite("The commands status and top", .bounded)
struct StatusCommandTests {
    private func run(_ arguments: [String], _ bench: StatusBench) async throws -> WorkerProgram.Outcome {
        try await WorkerProgram.run(arguments, environment: bench.environment, in: bench.directory)
    }

    @Test("status shows the worker in 80 columns without control characters, and --json what /status answers")
    func status() async throws {
        try await StatusBench.with { bench in
            let shown = try await run(["status"], bench)
            #expect(shown.status == .exited(0), "\(shown.text)")
            #expect(shown.output.allSatisfy { $0.unicodeScalars.count <= 80 }, "\(shown.text)")
            #expect(!shown.text.unicodeScalars.contains { $0.properties.generalCategory == .control && $0 != "\n" })
            #expect(!shown.text.unicodeScalars.contains("\u{202E}"))
            #expect(shown.output.first?.hasPrefix("Worker <b>w: serving, ") == true, "\(shown.text)")
            #expect(shown.output.contains { $0.contains(/^p +ready +1\/5 +1 running$/) }, "\(shown.text)")
            #expect(shown.output.contains("1 FLOW RUN IN FLIGHT"), "\(shown.text)")
            #expect(shown.output.contains { $0.contains(/^running +[0-9.]+ (ms|s|min) +p +<script>/) }, "\(shown.text)")
            #expect(shown.output.contains { $0.contains(/^Lateness .+ [0-9.]+ m?s$/) }, "\(shown.text)")
            let json = try await run(["status", "--json", "--name", "<b>w"], bench)
            let report = try JSONValue(parsing: Array(json.output.joined().utf8))
            #expect(json.output.count == 1)
            #expect(report["pools"] == (try await bench.probe.status()["pools"]))
            #expect(report["runs_in_flight"]?["oldest"]?.arrayValue?.first?["id"] == .string(bench.run))
        }
    }

    @Test("status names the remedy when no worker runs, and top when it has no terminal")
    func refusals() async throws {
        try await withTemporaryDirectory { directory in
            for (command, remedy) in [("status", "--state-dir"), ("top", "'prefect-worker status'")] {
                let outcome = try await WorkerProgram.run(
                    [command], environment: WorkerProgram.environment(home: directory), in: directory)
                #expect(outcome.status == .exited(1) && outcome.output == [], "\(outcome.text)")
                #expect(outcome.errors.count == 1 && outcome.text.contains(remedy), "\(outcome.text)")
            }
        }
    }

    @Test("top follows the size of its terminal, and restores the terminal after a key and after a signal")
    func top() async throws {
        try await StatusBench.with { bench in
            let script = try Resource.path("terminal", "py")
            for (end, status) in [
                ("q", 0), ("\u{3}", 0), ("\u{1A}", 0), ("SIGINT", 0), ("SIGTERM", 143), ("SIGHUP", 129),
            ] {
                let result = try await withChildProcess(
                    "python3", [script, "FLOW RUN", end, WorkerProgram.path, "top"], environment: bench.environment,
                    workingDirectory: bench.directory
                ) { terminal in
                    #expect(try await terminal.waitForExit(timeout: .seconds(90)) == .exited(0), "\(terminal.summary)")
                    return try JSONValue(parsing: Array(terminal.output.joined().utf8))
                }
                #expect(result["status"]?.intValue == status, "\(end)")
                #expect(result["paused"]?.boolValue ?? true, "the terminal was not restored while top was stopped")
                #expect(result["restored"] == true && result["left"] == true && result["echoes"] == false, "\(end)")
                let (wide, narrow) = (result["wide"]?.arrayValue ?? [], result["narrow"]?.arrayValue ?? [])
                #expect(wide.contains { $0.stringValue?.contains("<script>") == true }, "\(result)")
                #expect(wide.allSatisfy { ($0.stringValue ?? "").count <= 80 }, "\(result)")
                #expect(narrow.allSatisfy { ($0.stringValue ?? "").count <= 44 }, "\(result)")
                #expect(narrow.last?.stringValue?.contains("more lines") == true, "\(result)")
            }
        }
    }
}
