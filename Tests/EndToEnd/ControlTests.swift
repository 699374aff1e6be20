import FoundationEssentials
import Glibc
import PrefectJSON
import TestSupport
import Testing

@Suite("The control socket", .bounded)
struct ControlTests {
    /// The path to the socket of the worker of a state directory.
    private func socket(_ state: String) throws -> String {
        let parts = try String(contentsOfFile: state + "/control", encoding: .utf8).split(
            whereSeparator: \.isWhitespace)
        return try "/proc/\(#require(parts.first))/fd/\(#require(parts.last))"
    }

    /// Sends a request to a control socket. Returns the whole answer as text.
    private func ask(_ line: String, _ state: String) async throws -> String {
        let socket = try socket(state)
        let connection = try await RawConnection.connect(unixSocket: socket)
        try await connection.send("\(line) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        _ = try await connection.waitForEnding(timeout: .seconds(30))
        return connection.text
    }

    /// Runs a worker of the pool `p` with a state directory.
    private func withControlledWorker(
        _ state: String, _ body: (ChildProcess) async throws -> Void
    ) async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p", template: FakePrefectAPI.processTemplate)
            try await withTemporaryDirectory { directory in
                try await withChildProcess(
                    WorkerProgram.path,
                    ["start", "--pool", "p", "--name", "w", "--python", "none", "--state-dir", state],
                    environment: WorkerProgram.environment(home: directory, ["PREFECT_API_URL": api.url]),
                    workingDirectory: directory
                ) { worker in
                    try await worker.waitForLine(containing: "started")
                    try await body(worker)
                }
            }
        }
    }

    @Test("it answers /status for this user alone, replaces the socket of a killed worker, and is removed at the end")
    func life() async throws {
        try await withTemporaryDirectory { directory in
            let state = directory + "/state"
            for end in [ChildProcess.Signal.kill, .terminate] {
                try await withControlledWorker(state) { worker in
                    try await eventually("the socket answers") {
                        (try? await ask("GET /status", state).contains(#""name":"p""#)) == true
                    }
                    for path in [try socket(state), state + "/control"] {
                        var found = stat()
                        try #require(stat(path, &found) == 0)
                        #expect(found.st_mode & 0o077 == 0, "\(path)")
                    }
                    // Code that is copied with the state directory must not contain a socket.
                    let files = try FileManager.default.subpathsOfDirectory(atPath: state)
                    #expect(!files.contains { $0.hasSuffix("socket") }, "\(files)")
                    worker.send(end)
                    _ = try await worker.waitForExit(timeout: .seconds(30))
                }
                #expect((access(state + "/control", F_OK) == 0) == (end == .kill))
            }
        }
    }

    @Test("a state directory with a long path has a socket, too")
    func longPath() async throws {
        try await withTemporaryDirectory { directory in
            let state = directory + "/" + String(repeating: "long-", count: 30)
            try await withControlledWorker(state) { worker in
                try await eventually("the socket exists") { access(state + "/control", F_OK) == 0 }
                #expect(worker.errors.allSatisfy { !$0.contains("control socket") }, "\(worker.summary)")
            }
        }
    }

    @Test("a worker whose socket cannot be made serves without it, and reports the cause in one line")
    func impossible() async throws {
        try await withTemporaryDirectory { directory in
            let state = directory + "/state"
            try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
            try TestFile.write("a file", to: state + "/control.new")
            try await withControlledWorker(state) { worker in
                let line = try await worker.waitForLine(containing: "without a control socket")
                #expect(line.contains(state))
                worker.send(.terminate)
                #expect(try await worker.waitForExit(timeout: .seconds(30)) == .exited(0))
            }
        }
    }
}
