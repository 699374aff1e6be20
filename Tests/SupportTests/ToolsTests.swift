import FoundationEssentials
import Glibc
import Synchronization
import TestSupport
import Testing

@Suite("child processes")
struct ChildProcessTests {
    @Test("a child process inherits no open file of the tests")
    func descriptors() async throws {
        let null = open("/dev/null", O_RDONLY)
        defer { close(null) }
        try await withChildProcess("/bin/sh", ["-c", "ls /proc/$$/fd"]) { child in
            try await child.waitForExit()
            #expect(child.output == ["0", "1", "2"])
        }
    }

    @Test("the lines of both outputs and the exit status of a child are reported")
    func lines() async throws {
        try await withChildProcess("/bin/sh", ["-c", "echo one; echo two >&2; printf three; exit 7"]) { child in
            let status = try await child.waitForExit()
            #expect(status == .exited(7))
            #expect(child.output == ["one", "three"])
            #expect(child.errors == ["two"])
        }
    }

    @Test("a test can wait for a line of a running program, and end it with a signal")
    func signals() async throws {
        let script = "trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
        try await withChildProcess("sh", ["-c", script]) { child in
            try await child.waitForLine(containing: "ready")
            #expect(child.exitStatus == nil)
            child.send(.terminate)
            try await child.waitForLine(containing: "caught")
            let status = try await child.waitForExit()
            #expect(status == .exited(3))
        }
        try await withChildProcess("sleep", ["60"]) { child in
            child.send(.kill)
            let status = try await child.waitForExit()
            #expect(status == .signalled(9))
        }
    }

    @Test("a child has the requested environment and working directory")
    func surroundings() async throws {
        try await withTemporaryDirectory { directory in
            try await withChildProcess(
                "/bin/sh", ["-c", "pwd; echo $A-$B-$HOME"], extraEnvironment: ["A": "x y", "HOME": nil],
                workingDirectory: directory
            ) { child in
                let status = try await child.waitForExit()
                #expect(status == .exited(0))
                #expect(child.output == [directory, "x y--"])
            }
            try await withChildProcess("/usr/bin/env", environment: ["ONLY": "this"]) { child in
                try await child.waitForExit()
                #expect(child.output == ["ONLY=this"])
            }
        }
    }

    @Test("the remaining processes of a child's group end with the scope")
    func cleanUp() async throws {
        var grandchild: Int32 = 0
        try await withChildProcess("/bin/sh", ["-c", "sleep 60 & echo $!; wait"]) { child in
            grandchild = try #require(Int32(try await child.waitForLine("an id") { _ in true }))
        }
        try await eventually("the grandchild is gone") {
            let status = try? String(contentsOfFile: "/proc/\(grandchild)/stat", encoding: .utf8)
            return status.map { $0.contains(") Z ") } ?? true
        }
    }

    @Test("a background process that keeps the pipe open does not delay the child's end")
    func leftBehind() async throws {
        try await withChildProcess("/bin/sh", ["-c", "sleep 60 & echo done"]) { child in
            let status = try await child.waitForExit(timeout: .seconds(10))
            #expect(status == .exited(0))
            #expect(child.output == ["done"])
        }
    }

    @Test("a missing program and a missing line are errors, and the latter quotes the output")
    func failures() async throws {
        await #expect(throws: ChildProcess.StartFailure.self) {
            try await withChildProcess("/no/such/program") { _ in }
        }
        try await withChildProcess("/bin/sh", ["-c", "echo something else"]) { child in
            let error = await #expect(throws: WaitTimeout.self) {
                try await child.waitForLine(containing: "never")
            }
            let message = "\(try #require(error))"
            #expect(message.contains("never") && message.contains("something else"))
        }
    }
}

@Suite("small tools")
struct ToolsTests {
    @Test("eventually checks the condition until it is true")
    func eventuallyTrue() async throws {
        let count = Mutex(0)
        try await eventually("the third check succeeds") {
            try count.withLock { count in
                count += 1
                if count == 1 { throw CocoaError(.fileNoSuchFile) }
                return count == 3
            }
        }
        #expect(count.withLock { $0 } == 3)
    }

    @Test("the error of eventually names the expected event")
    func eventuallyFalse() async throws {
        let error = await #expect(throws: WaitTimeout.self) {
            try await eventually(within: .milliseconds(20), "the moon turns green") { false }
        }
        let message = "\(try #require(error))"
        #expect(message.contains("the moon turns green"))
    }

    @Test("a temporary directory is empty, and is removed afterwards, even after an error")
    func temporaryDirectory() async throws {
        var path = ""
        await #expect(throws: CancellationError.self) {
            try await withTemporaryDirectory { directory in
                path = directory
                let contents = try FileManager.default.contentsOfDirectory(atPath: directory)
                #expect(contents.isEmpty)
                try Data("x".utf8).write(to: URL(filePath: directory + "/file"))
                throw CancellationError()
            }
        }
        #expect(!path.isEmpty && !FileManager.default.fileExists(atPath: path))
    }

    @Test("an open gate releases waiting actions and lets later actions pass")
    func gate() async {
        let gate = Gate()
        let count = Mutex(0)
        gate.whenOpen { count.withLock { $0 += 1 } }
        #expect(count.withLock { $0 } == 0 && !gate.isOpen)
        gate.open()
        gate.open()
        await gate.wait()
        gate.whenOpen { count.withLock { $0 += 1 } }
        #expect(count.withLock { $0 } == 2 && gate.isOpen)
    }

    @Test("the client repeats requests after a locked database and lost answers")
    func patientClient() async throws {
        try await withFakePrefectAPI { api in
            api.script(times: 1, answer: .databaseLocked)
            api.script(times: 1, answer: .reset)
            api.script(times: 1, answer: .applyThen(.closeConnection))
            let client = try PrefectServerClient(url: api.url)
            _ = try await client.createFlow(name: "f")
            #expect(api.snapshot.flows.map(\.name) == ["f"])
            #expect(api.requests.map(\.status) == [503, nil, nil, 200])
        }
    }
}
