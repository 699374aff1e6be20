import BackendKit
import BackendKitTesting
import Foundation
import PrefectFiles
import PrefectJSON
import TestSupport
import Testing

@testable import ProcessBackend

@Suite("A run that manipulates its files", .serialized, .timeLimit(.minutes(2)))
struct HostileFilesTests {
    /// The attack of a run on its own directory, as Python code that has `os`. `D` is its own directory, and `I` that
    /// of the innocent run.
    enum Trick: String, CaseIterable, CustomTestStringConvertible {
        case progressIsFIFO = "os.remove(D + '/progress'); os.mkfifo(D + '/progress')"
        case progressIsLink = "os.remove(D + '/progress'); os.symlink('/dev/zero', D + '/progress')"
        case progressIsDirectory = "os.remove(D + '/progress'); os.mkdir(D + '/progress')"
        case progressIsSocket =
            "import socket; os.chdir(D); os.remove('progress'); socket.socket(socket.AF_UNIX).bind('progress')"
        case progressIsHuge = "os.truncate(D + '/progress', 1 << 40)"
        case outputIsFIFO = "os.remove(D + '/output/stdout'); os.mkfifo(D + '/output/stdout')"
        case outputIsEndlessDevice = "os.remove(D + '/output/stdout'); os.symlink('/dev/zero', D + '/output/stdout')"
        case outputIsDirectory = "os.remove(D + '/output/stderr'); os.mkdir(D + '/output/stderr')"
        case outputIsAnothers = "os.rename(D + '/output', D + '/old'); os.symlink(I + '/output', D + '/output')"
        case outputIsHuge = "os.ftruncate(1, 1 << 40); os.ftruncate(2, 1 << 40)"
        case outputIsNothing = "os.rename(D + '/output', D + '/old'); os.mkfifo(D + '/output')"
        case deepTree = "deep(1000)"

        var testDescription: String { "\(self)" }
    }

    private static let program = """
        import os, sys, time
        D, I, T = os.environ['PREFECT__WORKER_RUN_DIRECTORY'], os.environ['I'], os.environ['T']
        def deep(levels):
            os.chdir(D)
            for level in range(levels):
                os.mkdir('d' * 100)
                open('f', 'w').close()
                os.chdir('d' * 100)
                os.chmod('..', 0o000 if level % 3 == 0 else 0o700)
        print('begun', flush=True)
        while not os.path.exists(T + '/play'): time.sleep(0.01)
        """

    private func hostile(_ bench: Workbench, _ trick: String, innocent: String) throws -> ProcessWorkload {
        try bench.python(
            Self.program + "\n" + trick + "\n"
                + "open(T + '/played', 'w').close()\nprint('played', flush=True)\n"
                + "while not os.path.exists(T + '/go'): time.sleep(0.01)\n"
                + "print('hostile end', flush=True); sys.exit(3)\n",
            env: ["I": innocent])
    }

    private func innocent(_ bench: Workbench) throws -> ProcessWorkload {
        try bench.shell(
            "echo one; while [ ! -e $T/played ]; do sleep 0.01; done; echo two; "
                + "while [ ! -e $T/go ]; do sleep 0.01; done; echo three; echo sad >&2; exit 5")
    }

    private func path(_ identifier: InfrastructureIdentifier) throws -> String {
        try #require(identifier.handle["directory"]?.stringValue)
    }

    @Test("a hostile run harms no other run, and the cleanup removes its directory", arguments: Trick.allCases)
    func oneWorker(trick: Trick) async throws {
        let bench = try Workbench()
        let good = try innocent(bench)
        let goodID = try await good.start()
        let bad = try hostile(bench, trick.rawValue, innocent: path(goodID))
        let badID = try await bad.start()
        try await eventually("the first lines are copied") { bench.output.text.contains("begun\n") }
        _ = try bench.directory.write("play", "")
        try await eventually("the next line of the innocent run is copied") { bench.output.text.contains("two\n") }
        _ = try bench.directory.write("go", "")
        let status = try await good.wait(for: goodID)
        #expect(status.code == 5 && status.lastOutput == "sad")
        #expect(try await bad.wait(for: badID).code == 3)
        try await eventually("the last line is copied") { bench.output.text.contains("three\n") }
        #expect(await bench.backend.flushOutput(within: .seconds(10)))
        await good.cleanUp(goodID)
        await bad.cleanUp(badID)
        #expect(bench.runDirectories == [])
        #expect(bench.output.lines.filter { ["one", "two", "three"].contains($0) } == ["one", "two", "three"])
    }

    @Test("a hostile run harms no other run after a restart of the worker", arguments: Trick.allCases)
    func restarted(trick: Trick) async throws {
        let directory = try TemporaryDirectory()
        let (good, bad) = try await play(trick, in: directory)
        let bench = try Workbench(directory: directory)
        for (identifier, job) in [bad, good] {
            await bench.backend.adopt(identifier, flowRunID: job.run.flowRunID, flowRunName: job.run.flowRunName)
            #expect(try await job.recover(identifier) == .present(identifier))
        }
        _ = try directory.write("go", "")
        let status = try await good.1.wait(for: good.0)
        #expect([nil, 5].contains(status.code) && status.lastOutput == "sad")
        #expect(try await [nil, 3].contains(bad.1.wait(for: bad.0).code))
        try await eventually("the last line is copied") { bench.output.text.contains("three\n") }
        #expect(await bench.backend.flushOutput(within: .seconds(10)))
        #expect(bench.output.lines.filter { ["one", "two", "three"].contains($0) } == ["three"])
        for (identifier, job) in [bad, good] { await job.cleanUp(identifier) }
        #expect(bench.runDirectories == [])
    }

    /// Runs a worker that ends after a trick, with two runs that continue.
    private func play(_ trick: Trick, in directory: TemporaryDirectory) async throws -> (
        good: (InfrastructureIdentifier, ProcessWorkload),
        bad: (InfrastructureIdentifier, ProcessWorkload)
    ) {
        let bench = try Workbench(directory: directory)
        let good = try innocent(bench)
        let goodID = try await good.start()
        let bad = try hostile(bench, trick.rawValue, innocent: path(goodID))
        let badID = try await bad.start()
        try await eventually("the first lines are copied") { bench.output.text.contains("begun\n") }
        _ = try directory.write("play", "")
        try await eventually("the next line of the innocent run is copied") { bench.output.text.contains("two\n") }
        #expect(await bench.backend.flushOutput(within: .seconds(10)))
        return ((goodID, good), (badID, bad))
    }

    @Test("a FIFO in place of the workspace manifest does not block the hooks")
    func manifest() async throws {
        let directory = try TemporaryDirectory()
        _ = try directory.write("hooks.py", HookScript.source)
        _ = try directory.write("state.json", "{}")
        #expect(mkfifo(directory.file("workspace.json"), 0o600) == 0)
        let bench = try Workbench()
        let job = try bench.job(
            "python3 \(directory.path)/hooks.py crashed \(directory.path)/state.json \(directory.path)/workspace.json")
        #expect(try await bench.run(job).code == HookScript.noWorkspace)
    }

    // MARK: - Holes

    private static let source = OutputSource(flowRunID: "run-1", flowRunName: "brave-otter", stream: .output)

    private func copyAll(_ follower: OutputFollower, pieces limit: Int = 100) -> String {
        var copied: [UInt8] = []
        for _ in 0..<limit where follower.copySome(to: { copied += $0 }) != .more { break }
        return String(decoding: copied, as: UTF8.self)
    }

    @Test("output is copied without the holes that the run makes in its file")
    func holes() throws {
        let directory = try TemporaryDirectory()
        let log = try directory.write("log", "one\nunended")
        let follower = try #require(
            OutputFollower("log", below: directory.path, progressName: nil, slot: 0, source: Self.source))
        #expect(truncate(log, 1 << 40) == 0)
        let handle = try #require(FileHandle(forWritingAtPath: log))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("two\n".utf8))
        #expect(copyAll(follower) == "one\nunendedtwo\n")
        #expect(truncate(log, 1 << 41) == 0)
        follower.finish()
        #expect(copyAll(follower) == "")
    }

    @Test("the copying stops at a limit when a process still writes after the end of the run")
    func afterEnd() throws {
        let directory = try TemporaryDirectory()
        let line = String(repeating: "x", count: 1023) + "\n"
        let log = try directory.write("log", String(repeating: line, count: 400))
        let follower = try #require(
            OutputFollower(
                "log", below: directory.path, progressName: nil, slot: 0, source: Self.source,
                limits: .init(afterEnd: 128 << 10)))
        follower.finish()
        let handle = try #require(FileHandle(forWritingAtPath: log))
        try handle.seekToEnd()
        var copied: [UInt8] = []
        var pieces = 0
        while pieces < 1000, follower.copySome(to: { copied += $0 }) == .more {
            pieces += 1
            try handle.write(contentsOf: Data(String(repeating: line, count: 100).utf8))
        }
        #expect(pieces < 10)
        #expect(copied.count < 400 << 10)
        #expect(String(decoding: copied, as: UTF8.self).contains("bytes of output were dropped"))
    }

    // MARK: - Trees

    @Test("a run's directory is removed with any tree in it, however deep or unreadable")
    func tree() throws {
        let directory = try TemporaryDirectory()
        let outside = try directory.write("outside", "kept")
        let root = directory.file("tree")
        #expect(mkdir(root, 0o700) == 0)
        let start = open(root, O_RDONLY | O_DIRECTORY)
        defer { close(start) }
        var current = dup(start)
        let name = String(repeating: "n", count: 255)
        for level in 0..<3000 {
            #expect(mkdirat(current, name, 0o700) == 0)
            if level % 1000 == 0 {
                #expect(mkfifoat(current, "fifo", 0o600) == 0)
                #expect(symlinkat(outside, current, "link") == 0)
            }
            let next = openat(current, name, O_RDONLY | O_DIRECTORY)
            if level % 7 == 0 { fchmod(next, 0) }
            close(current)
            current = next
        }
        close(current)
        TreeRemoval.remove(root)
        #expect(!FileManager.default.fileExists(atPath: root))
        #expect(directory.read("outside") == "kept")
    }
}
