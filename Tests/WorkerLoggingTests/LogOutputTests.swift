import Glibc
import Logging
import PrefectJSON
import Testing

@testable import WorkerLogging

@Suite("Log output", .timeLimit(.minutes(1)))
struct LogOutputTests {
    private func record(_ message: String) -> LogRecord {
        LogRecord(level: .info, logger: "test", message: message)
    }

    private func messages(_ text: String) throws -> [String] {
        try text.split(separator: "\n").map { try JSONValue(parsing: String($0))["message"]?.stringValue ?? "" }
    }

    @Test("a log line has the metadata of the logger, the provider and the call, and the error")
    func handler() async throws {
        let pipe = TestPipe()
        let output = try LogOutput(descriptor: pipe.writingEnd, format: .json)
        var logger = Logger(label: "x") { _ in WorkerLogHandler(logger: "prefect.workers", output: output, level: .info)
        }
        logger[metadataKey: "work_pool"] = "etl"
        logger.handler.metadataProvider = Logger.MetadataProvider { ["worker": "w1"] }
        logger.debug("too quiet")
        logger.warning("m", error: TestError(), metadata: ["flow_run_id": "1f"])
        #expect(output.flush(within: .seconds(30)))
        let value = try JSONValue(parsing: try await pipe.read { $0.hasSuffix("\n") })
        #expect(value["logger"] == "prefect.workers")
        #expect(value["message"] == "m")
        #expect(value["work_pool"] == "etl")
        #expect(value["worker"] == "w1")
        #expect(value["flow_run_id"] == "1f")
        #expect(value["error"] == "it broke")
    }

    private struct TestError: Error, CustomStringConvertible {
        let description = "it broke"
    }

    @Test("a stalled reader causes counted losses of lines, and never blocks a logging thread")
    func stuckReader() async throws {
        let pipe = TestPipe()
        let output = try LogOutput(descriptor: pipe.writingEnd, format: .json, capacity: 50_000)
        let start = ContinuousClock.now
        for number in 0..<2000 { output.write(record("\(number)")) }
        #expect(ContinuousClock.now - start < .seconds(20))
        #expect(!output.flush(within: .milliseconds(20)))
        let lost = output.lostLines
        #expect(lost > 0)

        let report = "\(lost) log lines were lost because standard error was blocked."
        let lines = try messages(try await pipe.read { $0.contains(report) && $0.hasSuffix("\n") })
        #expect(lines.filter { $0 != report } == (0..<(2000 - lost)).map(String.init))
        #expect(lines.last == report)

        output.write(record("after"))
        #expect(output.flush(within: .seconds(30)))
        #expect(try messages(try await pipe.read { $0.hasSuffix("\n") }) == ["after"])
        #expect(output.lostLines == lost)
        withExtendedLifetime(pipe) {}
    }

    @Test("a report of lost lines precedes the next accepted line")
    func reportInPlace() async throws {
        let pipe = TestPipe()
        let output = try LogOutput(descriptor: pipe.writingEnd, format: .json, capacity: 50_000)
        for number in 0..<2000 { output.write(record("\(number)")) }
        #expect(output.lostLines > 0)
        // Makes room step by step until the output accepts a line again.
        var text = ""
        var lost: Int
        repeat {
            lost = output.lostLines
            text += try await pipe.read { !$0.isEmpty }
            output.write(record("next"))
        } while output.lostLines > lost
        text += try await pipe.read { $0.contains("next") && $0.hasSuffix("\n") }
        let lines = try messages(text)
        #expect(
            lines.suffix(2) == [
                "\(lost) log lines were lost because standard error was blocked.", "next",
            ])
    }

    @Test("a descriptor in non-blocking mode loses no lines")
    func nonBlocking() async throws {
        let pipe = TestPipe(isNonBlocking: true)
        let output = try LogOutput(descriptor: pipe.writingEnd, format: .json)
        for number in 0..<1000 { output.write(record("\(number)")) }
        let text = try await pipe.read { $0.contains(#""message":"999""#) && $0.hasSuffix("\n") }
        #expect(try messages(text) == (0..<1000).map(String.init))
        #expect(output.lostLines == 0)
    }

    @Test("a closed reading end causes lost lines and does not end the process")
    func brokenPipe() async throws {
        let pipe = TestPipe()
        let output = try LogOutput(descriptor: pipe.writingEnd, format: .json)
        pipe.loseReader()
        for number in 0..<10 { output.write(record("\(number)")) }
        #expect(output.flush(within: .seconds(30)))
        #expect(output.lostLines == 10)
        withExtendedLifetime(pipe) {}
    }

    @Test("lines of concurrent tasks stay intact, and each task's lines stay in order")
    func concurrency() async throws {
        let pipe = TestPipe(size: 1 << 20)
        let output = try LogOutput(descriptor: pipe.writingEnd, format: .json)
        await withTaskGroup { group in
            for task in 0..<8 {
                group.addTask { for number in 0..<200 { output.write(record("\(task) \(number)")) } }
            }
        }
        let text = try await pipe.read { $0.utf8.count { $0 == UInt8(ascii: "\n") } == 1600 }
        let lines = try messages(text)
        for task in 0..<8 {
            #expect(lines.filter { $0.hasPrefix("\(task) ") } == (0..<200).map { "\(task) \($0)" })
        }
    }

    @Test("a released output still writes its pending lines")
    func release() async throws {
        let pipe = TestPipe()
        do {
            let output = try LogOutput(descriptor: pipe.writingEnd, format: .json)
            output.write(record("last"))
        }
        #expect(try messages(try await pipe.read { $0.hasSuffix("\n") }) == ["last"])
    }
}
