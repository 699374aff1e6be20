import BackendKit
import BackendKitTesting
import Foundation
import PrefectJSON
import TestSupport
import Testing

@testable import ProcessBackend

struct LaunchTests {
    @Test("a process inherits no descriptors, no blocked signals, no standard input and no session")
    func nothingInherited() async throws {
        let bench = try Workbench()
        let leak = open("/dev/null", O_RDONLY)
        defer { close(leak) }
        let status = try await bench.run(
            bench.python(
                """
                import json, os
                status = dict(line.split(":", 1) for line in open("/proc/self/status"))
                descriptors = os.listdir("/proc/self/fd")
                with open(os.environ["T"] + "/facts.json", "w") as file:
                    json.dump({
                        "descriptors": sorted(d for d in descriptors if os.path.exists("/proc/self/fd/" + d)
                            and not os.readlink("/proc/self/fd/" + d).startswith(os.environ["T"] + "/facts")),
                        "stdin": os.readlink("/proc/self/fd/0"), "blocked": int(status["SigBlk"], 16),
                        "session": os.getsid(0) == os.getpid(), "group": os.getpgid(0) == os.getpid(),
                        "directory": os.getcwd(), "mode": os.stat(os.environ["PREFECT__WORKER_RUN_DIRECTORY"]).st_mode & 0o777,
                        "base": os.environ["PREFECT__WORKER_RUN_DIRECTORY"],
                    }, file)
                """))
        #expect(status.code == 0)
        let facts = try JSONValue(parsing: bench.directory.read("facts.json") ?? "null")
        #expect(facts["descriptors"] == ["0", "1", "2"])
        #expect(facts["stdin"] == "/dev/null")
        #expect(facts["blocked"] == 0)
        #expect(facts["session"] == true)
        #expect(facts["group"] == true)
        #expect(facts["mode"] == .int(0o700))
        #expect(facts["directory"]?.stringValue == (facts["base"]?.stringValue ?? "") + "/work")
    }

    @Test("the environment is exactly the job's, plus the worker's own variables for the run")
    func environment() async throws {
        let bench = try Workbench()
        let job = try bench.shell("tr '\\0' '\\n' < /proc/$$/environ | cut -d= -f1 | sort", env: ["A": "1"])
        #expect(try await bench.run(job).code == 0)
        try await eventually("the names are printed") {
            bench.output.lines == [
                "A", "PATH", "PREFECT__CONTROL_PORT", "PREFECT__CONTROL_TOKEN",
                "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS", "PREFECT__FLOW_RUN_ID",
                "PREFECT__WORKER_RUN_DIRECTORY", "T",
            ]
        }
    }

    @Test("a signal that the worker ignores is not ignored by a run")
    func ignoredSignals() async throws {
        signal(SIGUSR2, SIG_IGN)
        defer { signal(SIGUSR2, SIG_DFL) }
        let bench = try Workbench()
        #expect(try await bench.run(bench.shell("kill -USR2 $$; exit 0")).code == -Int(SIGUSR2))
    }

    @Test("the exit code is that of the process, or a signal's negative number", arguments: [0, 1, 7, 255, -9, -15])
    func exitCodes(code: Int) async throws {
        let bench = try Workbench()
        let status = try await bench.run(bench.shell(code < 0 ? "kill \(code) $$; sleep 100" : "exit \(code)"))
        #expect(status.code == code)
        #expect(status.conclusion == nil)
    }

    @Test("a command is looked up on the job's own PATH, not the worker's")
    func lookup() async throws {
        let bench = try Workbench()
        let bin = try TemporaryDirectory()
        _ = try bin.write("special-tool", "#!/bin/sh\nexit 5\n", mode: 0o755)
        #expect(try await bench.run(bench.job("special-tool", env: ["PATH": bin.path])).code == 5)
        #expect(try await bench.run(bench.job("./special-tool", workingDirectory: bin.path)).code == 5)
        try await refused(bench, bench.job("special-tool"), 127, "'special-tool'")
    }

    @Test("a job that cannot be started is refused with the cause and exit code, and no directory remains")
    func refusals() async throws {
        let bench = try Workbench()
        let plain = try bench.directory.write("plain", "x", mode: 0o644)
        let garbage = try bench.directory.write("garbage", "\u{1}\u{2}", mode: 0o755)
        let orphan = try bench.directory.write("orphan", "#!/nonexistent/interpreter\n", mode: 0o755)
        try await refused(bench, bench.job("/nonexistent/tool"), 127, "/nonexistent/tool")
        try await refused(bench, bench.job(plain), 126, plain)
        try await refused(bench, bench.job(garbage), 126, garbage)
        try await refused(bench, bench.job(orphan), 127, "interpreter")
        try await refused(bench, bench.job(bench.directory.path), 126, "directory")
        try await refused(bench, bench.job("true", workingDirectory: "/nonexistent/place"), nil, "/nonexistent/place")
        try await refused(bench, bench.job("true", workingDirectory: plain), nil, "not a directory")
        try await refused(bench, bench.job("true 'x"), nil, "quotation")
        try await refused(bench, bench.job(nil), nil, "command")
        try await refused(bench, bench.job("true", env: ["SECRET": "hush\u{0}hush"]), nil, "'SECRET'")
        try await refused(bench, bench.job("true", env: ["A=B": "x"]), nil, "'A=B'")
        #expect(bench.runDirectories.isEmpty)
    }

    private func refused(
        _ bench: Workbench, _ job: ProcessWorkload, _ code: Int?, _ text: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let error = await #expect(throws: InfrastructureError.self, sourceLocation: sourceLocation) {
            _ = try await job.start()
        }
        #expect(error?.kind == .refused, sourceLocation: sourceLocation)
        #expect(error?.exitCode == code, sourceLocation: sourceLocation)
        #expect(error?.message.contains(text) == true, "\(error?.message ?? "")", sourceLocation: sourceLocation)
        #expect(error?.message.contains("\n") == false, sourceLocation: sourceLocation)
        #expect(error?.message.contains("hush") == false, sourceLocation: sourceLocation)
    }

    @Test("the cleanup removes the run's directory with any content, and never the working directory")
    func cleanUp() async throws {
        let bench = try Workbench()
        let job = try bench.shell(
            "mkdir -p \"$PREFECT__WORKER_RUN_DIRECTORY/work/a/b\"; touch \"$PREFECT__WORKER_RUN_DIRECTORY/work/a/b/c\"; ln -s \"$T\" \"$PREFECT__WORKER_RUN_DIRECTORY/work/a/link\"; chmod 500 \"$PREFECT__WORKER_RUN_DIRECTORY/work/a/b\"; touch kept",
            workingDirectory: bench.directory.path)
        let identifier = try await job.start()
        #expect(try await job.wait(for: identifier).code == 0)
        #expect(bench.runDirectories.count == 1)
        await job.cleanUp(identifier)
        #expect(bench.runDirectories.isEmpty)
        #expect(bench.directory.read("kept") == "")
        await job.cleanUp(identifier)
    }

    @Test("the cleanup keeps the directory of a running process and directories that belong to no run")
    func noCleanUp() async throws {
        let bench = try Workbench()
        let job = try bench.shell("sleep 100")
        let identifier = try await job.start()
        await job.cleanUp(identifier)
        #expect(bench.runDirectories.count == 1)
        try await job.stop(identifier, grace: .seconds(5), reason: .shutdown)
        var handle = identifier.handle
        handle["directory"] = .string(bench.directory.path)
        await job.cleanUp(InfrastructureIdentifier(rawValue: identifier.rawValue, handle: handle))
        #expect(FileManager.default.fileExists(atPath: bench.directory.path))
    }

    @Test("an empty working directory means the worker's directory, as with the Python worker", arguments: ["", "."])
    func ownDirectory(path: String) async throws {
        let bench = try Workbench()
        #expect(try await bench.run(bench.job("pwd", workingDirectory: path)).code == 0)
        let own = FileManager.default.currentDirectoryPath
        try await eventually("the directory is printed") { bench.output.text == own + "\n" }
    }

    @Test("a leading tilde in the working directory means the job's home directory")
    func home() async throws {
        let bench = try Workbench()
        try FileManager.default.createDirectory(atPath: bench.directory.file("sub"), withIntermediateDirectories: true)
        let job = try bench.job("pwd", env: ["HOME": bench.directory.path], workingDirectory: "~/sub")
        #expect(try await bench.run(job).code == 0)
        try await eventually("the directory is printed") { bench.output.text == bench.directory.file("sub") + "\n" }
    }

    @Test("a hundred concurrent processes all report their own exit codes")
    func crowd() async throws {
        let bench = try Workbench()
        let codes = try await withThrowingTaskGroup(of: (Int, Int?).self) { group in
            for number in 0..<100 {
                group.addTask {
                    let job = try bench.shell("read line < /dev/null; exit \(number)")
                    return (number, try await bench.run(job).code)
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        #expect(codes.count == 100)
        #expect(codes.allSatisfy { $0.key == $0.value })
        // The rest of the output is copied, and the files are closed, after the ends of the runs are reported.
        try await eventually("the runs' files are closed") { try bench.openDescriptors() < 60 }
    }

    @Test("a cancelled wait does not stop the process")
    func cancelledWait() async throws {
        let bench = try Workbench()
        let job = try bench.shell("sleep 100")
        let identifier = try await job.start()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await #expect(throws: CancellationError.self) {
                    _ = try await job.wait(for: identifier)
                }
            }
            group.cancelAll()
        }
        #expect(isAlive(pid_t(identifier.rawValue) ?? 0))
        try await job.stop(identifier, grace: .seconds(5), reason: .shutdown)
        #expect(try await job.wait(for: identifier).code == -15)
    }
}

extension Workbench {
    /// The number of this process's descriptors that belong to runs of this bench.
    func openDescriptors() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").filter {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))?
                .hasPrefix(directory.path) == true
        }.count
    }
}
