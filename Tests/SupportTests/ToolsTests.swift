import FoundationEssentials
import Glibc
import Synchronization
import TestSupport
import Testing

@Suite("child processes")
struct ChildProcessTests {
    @Test("a child has nothing open that the tests have")
    func descriptors() async throws {
        let null = open("/dev/null", O_RDONLY)
        defer { close(null) }
        try await withChildProcess("/bin/sh", ["-c", "ls /proc/$$/fd"]) { child in
            try await child.waitForExit()
            #expect(child.output == ["0", "1", "2"])
        }
    }

    @Test("lines come as they are written, from both outputs, and the status at the end")
    func lines() async throws {
        try await withChildProcess("/bin/sh", ["-c", "echo one; echo two >&2; printf three; exit 7"]) { child in
            let status = try await child.waitForExit()
            #expect(status == .exited(7))
            #expect(child.output == ["one", "three"])
            #expect(child.errors == ["two"])
        }
    }

    @Test("a line is waited for while the program runs, and a signal ends it")
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

    @Test("environment and working directory are what was asked for")
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

    @Test("what is left of the process group ends with the scope")
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

    @Test("a process that is left behind with the pipe does not delay the end")
    func leftBehind() async throws {
        try await withChildProcess("/bin/sh", ["-c", "sleep 60 & echo done"]) { child in
            let status = try await child.waitForExit(timeout: .seconds(10))
            #expect(status == .exited(0))
            #expect(child.output == ["done"])
        }
    }

    @Test("a program that is not there, and a line that never comes, are errors that say so")
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
    @Test("eventually asks until the answer is yes")
    func eventuallyTrue() async throws {
        let count = Mutex(0)
        try await eventually("the third time") {
            try count.withLock { count in
                count += 1
                if count == 1 { throw CocoaError(.fileNoSuchFile) }
                return count == 3
            }
        }
        #expect(count.withLock { $0 } == 3)
    }

    @Test("eventually says what did not happen")
    func eventuallyFalse() async throws {
        let error = await #expect(throws: WaitTimeout.self) {
            try await eventually(within: .milliseconds(20), "the moon turns green") { false }
        }
        let message = "\(try #require(error))"
        #expect(message.contains("the moon turns green"))
    }

    @Test("a temporary directory is empty, and gone afterwards, after an error too")
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

    @Test("a gate lets through what waits and what comes later")
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

    @Test("the client rides through a locked database and lost answers")
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
