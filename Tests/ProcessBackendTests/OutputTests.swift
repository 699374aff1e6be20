import BackendKit
import BackendKitTesting
import Foundation
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@testable import ProcessBackend

struct OutputTests {
    @Test("the output of a run is copied to the worker's output, each stream to its own")
    func streams() async throws {
        let bench = try Workbench()
        let status = try await bench.run(bench.shell("echo out; echo err >&2; printf 'no end'"))
        #expect(status.lastOutput == "err")
        try await eventually("both are copied") { bench.output.text == "out\nno end\n" && bench.errors.text == "err\n" }
    }

    @Test("output is copied while the run is in progress")
    func live() async throws {
        let bench = try Workbench()
        let job = try bench.shell("echo one; while [ ! -e $T/go ]; do sleep 0.01; done; echo two")
        let identifier = try await job.start()
        try await eventually("the first line is copied") { bench.output.text == "one\n" }
        _ = try bench.directory.write("go", "")
        #expect(try await job.wait(for: identifier).code == 0)
        try await eventually("the second line is copied") { bench.output.text == "one\ntwo\n" }
    }

    @Test("bytes that are not UTF-8 are copied unchanged, and repaired where they become text")
    func bytes() async throws {
        let bench = try Workbench()
        let status = try await bench.run(bench.shell("printf '\\377\\376a\\000b\\n'; printf 'x\\377y\\n' >&2"))
        #expect(status.lastOutput == "x\u{FFFD}y")
        try await eventually("the bytes are copied") { bench.output.content == [255, 254, 97, 0, 98, 10] }
    }

    @Test("lines of different runs are not mixed")
    func interleaving() async throws {
        let bench = try Workbench()
        let script = "n=0; while [ $n -lt 200 ]; do printf '%s' $WHO; printf '%s\\n' $WHO; n=$((n+1)); done"
        try await withThrowingTaskGroup(of: Void.self) { group in
            for who in ["aaa", "bbb", "ccc"] {
                group.addTask { _ = try await bench.run(bench.shell(script, env: ["WHO": who])) }
            }
            try await group.waitForAll()
        }
        try await eventually("all lines are copied") { bench.output.lines.count == 600 }
        #expect(Set(bench.output.lines) == ["aaaaaa", "bbbbbb", "cccccc"])
    }

    @Test("without streaming no output is copied, and the end of standard error still explains a crash")
    func withoutStreaming() async throws {
        let bench = try Workbench()
        let status = try await bench.run(bench.shell("echo out; echo reason >&2; exit 1", streams: false))
        #expect(status.lastOutput == "reason")
        let next = try await bench.run(bench.shell("x=$(readlink /proc/$$/fd/1); echo $x >&2", streams: false))
        #expect(next.lastOutput == "/dev/null")
        #expect(bench.output.content.isEmpty && bench.errors.content.isEmpty)
    }

    @Test("the explanation of a crash has at most the last twenty lines and eight kibibytes")
    func tail() async throws {
        let bench = try Workbench()
        let lines = try await bench.run(bench.shell("seq 1 5000 >&2")).lastOutput?.split(separator: "\n")
        #expect(lines?.map(String.init) == (4981...5000).map(String.init))
        let wide = try await bench.run(
            bench.python("import sys; sys.stderr.write('\\u00e9' * 9000 + '\\nend\\n' + 'z' * 8100 + '\\n')"))
        #expect((wide.lastOutput?.utf8.count ?? 0) <= 8192)
        #expect(wide.lastOutput?.hasPrefix("end\n") == true)
        let one = try await bench.run(bench.python("import sys; sys.stderr.write('\\u00e9' * 9000)"))
        #expect(one.lastOutput?.allSatisfy { $0 == "é" } == true)
    }

    @Test("the disk space of copied output is freed while the run is in progress")
    func flood() async throws {
        let sink = CountingSink()
        let bench = try Workbench(output: sink)
        let job = try bench.shell("head -c 50000000 /dev/zero | tr '\\0' 'x' | fold -w 99; touch $T/done; sleep 1000")
        let identifier = try await job.start()
        try await eventually(within: .seconds(180), "the output has been copied") {
            bench.directory.read("done") != nil && sink.count >= 50_500_000
        }
        let directory = try #require(identifier.handle["directory"]?.stringValue)
        try await eventually("the copied output takes little disk space") {
            var status = stat()
            return stat(directory + "/output/stdout", &status) == 0 && status.st_size >= 50_500_000
                && status.st_blocks * 512 < 4_000_000
        }
        try await job.stop(identifier, grace: .seconds(5), reason: .shutdown)
    }

    @Test("a blocked output of the worker blocks only that output")
    func blocked() async throws {
        let sink = BlockedSink()
        let bench = try Workbench(output: sink)
        let status = try await bench.run(
            bench.shell("head -c 3000000 /dev/zero | tr '\\0' '\\n'; echo fine >&2; exit 2"))
        #expect(status.code == 2)
        #expect(status.lastOutput == "fine")
        try await eventually("standard error is copied") { bench.errors.text == "fine\n" }
        #expect(await bench.backend.flushOutput(within: .milliseconds(20)) == false)
        sink.open()
        #expect(await bench.backend.flushOutput(within: .seconds(60)))
        try await eventually("the rest is copied") { sink.count == 3_000_000 }
    }

    @Test("a broken output of the worker does not affect the run")
    func broken() async throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        close(ends[0])
        defer { close(ends[1]) }
        let bench = try Workbench(output: DescriptorSink(descriptor: ends[1]))
        let status = try await bench.run(bench.shell("seq 1 100000; echo fine >&2"))
        #expect(status.code == 0)
        #expect(status.lastOutput == "fine")
    }

    @Test("a sink stops at a full pipe, and writes again after the pipe is read")
    func fullPipe() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let sink = DescriptorSink(descriptor: ends[1])
        var total = 0
        while let count = sink.write([UInt8](repeating: 1, count: 65536)[...], of: Self.source, waitingUpTo: .zero),
            count > 0
        {
            total += count
        }
        #expect(total == 65536)
        var buffer = [UInt8](repeating: 0, count: 4096)
        #expect(read(ends[0], &buffer, 4096) == 4096)
        #expect(sink.write([1], of: Self.source, waitingUpTo: .zero) == 1)
    }

    // MARK: - Followers

    private static let source = OutputSource(flowRunID: "run-1", flowRunName: "brave-otter", stream: .output)

    private func makeFollower(_ directory: TemporaryDirectory, limits: OutputFollower.Limits = .init())
        -> OutputFollower?
    {
        OutputFollower(
            "log", below: directory.path, progressName: "progress", slot: 1,
            source: Self.source,
            limits: limits)
    }

    private func copyAll(_ follower: OutputFollower) -> String {
        var copied: [UInt8] = []
        while follower.copySome(to: { copied += $0 }) == .more {}
        return String(decoding: copied, as: UTF8.self)
    }

    @Test("a follower resumes where the previous follower stopped")
    func resuming() throws {
        let directory = try TemporaryDirectory()
        let log = try directory.write("log", "one\ntwo\nthr")
        let first = try #require(makeFollower(directory))
        #expect(copyAll(first) == "one\ntwo\n")
        let second = try #require(makeFollower(directory))
        #expect(copyAll(second) == "")
        let handle = try #require(FileHandle(forWritingAtPath: log))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("ee\nfour".utf8))
        #expect(copyAll(second) == "three\n")
        second.finish()
        #expect(copyAll(second) == "four\n")
        #expect(copyAll(try #require(makeFollower(directory))) == "")
    }

    @Test("a follower creates no file in a directory that is being removed")
    func removal() throws {
        let directory = try TemporaryDirectory()
        _ = try directory.write("log", "one\n")
        let follower = try #require(makeFollower(directory))
        try FileManager.default.removeItem(atPath: directory.file("progress"))
        #expect(copyAll(follower) == "one\n")
        #expect(!FileManager.default.fileExists(atPath: directory.file("progress")))
    }

    @Test("output that its run truncates is followed from the beginning")
    func truncated() throws {
        let directory = try TemporaryDirectory()
        _ = try directory.write("log", "one\ntwo\n")
        let follower = try #require(makeFollower(directory))
        #expect(copyAll(follower) == "one\ntwo\n")
        _ = try directory.write("log", "new\n")
        #expect(copyAll(follower) == "new\n")
    }

    @Test("a line that never ends is copied in pieces, and carriage returns end lines too")
    func longLine() throws {
        let directory = try TemporaryDirectory()
        _ = try directory.write("log", "50%\r60%\r" + String(repeating: "x", count: 70_000))
        let follower = try #require(makeFollower(directory))
        #expect(copyAll(follower).utf8.count == 8 + OutputFollower.chunkSize)
    }

    @Test("output beyond the limit of the backlog is dropped with a notice")
    func backlog() throws {
        let directory = try TemporaryDirectory()
        _ = try directory.write("log", String(repeating: "0123456\n", count: 2000))
        let follower = try #require(makeFollower(directory, limits: .init(backlog: 8000)))
        let notice = follower.dropBacklog()
        #expect(notice?.contains("12000 bytes") == true)
        #expect(notice?.contains("brave-otter") == true)
        #expect(copyAll(follower) == String(repeating: "0123456\n", count: 500))
        #expect(follower.dropBacklog() == nil)
    }
}

/// A sink that only counts bytes.
private final class CountingSink: OutputSink {
    private let total = Mutex(0)
    var count: Int { total.withLock { $0 } }
    func write(_ bytes: ArraySlice<UInt8>, of source: OutputSource, waitingUpTo limit: Duration) -> Int? {
        total.withLock { $0 += bytes.count }
        return bytes.count
    }
}

/// A sink that accepts no bytes until it is opened.
private final class BlockedSink: OutputSink {
    private let state = Mutex((isOpen: false, count: 0))
    var count: Int { state.withLock { $0.count } }
    func open() { state.withLock { $0.isOpen = true } }
    func write(_ bytes: ArraySlice<UInt8>, of source: OutputSource, waitingUpTo limit: Duration) -> Int? {
        state.withLock { state in
            guard state.isOpen else { return 0 }
            state.count += bytes.count
            return bytes.count
        }
    }
}
