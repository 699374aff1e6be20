import FoundationEssentials
import Glibc
import TestSupport
import Testing

@testable import HealthServer

@Suite("A health server on a Unix socket", .timeLimit(.minutes(1)))
struct SocketTests {
    /// Runs a server on a socket during `body`.
    private func withSocketServer(
        _ path: String, _ routes: [StatusRoute], limits: HealthServer.Limits = .wide(),
        _ body: () async throws -> Void
    ) async throws {
        let server = HealthServer(
            .socket(path: path, name: "the socket"), routes: routes, logger: CapturedLog().logger, limits: limits)
        let listens = Gate()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run { _ in listens.open() } }
            try await eventually("the server listens") { listens.isOpen }
            try await body()
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    /// Sends a request. Returns the whole answer.
    private func ask(_ line: String, _ path: String) async throws -> String {
        let connection = try await RawConnection.connect(unixSocket: path)
        try await connection.send("\(line) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        _ = try await connection.waitForEnding(timeout: .seconds(30))
        return connection.text
    }

    private func expect(_ line: String, _ path: String, answers part: String) async throws {
        let answer = try await ask(line, path)
        #expect(answer.contains(part))
    }

    private var status: StatusRoute {
        StatusRoute(path: "/status") { RouteAnswer(status: 200, contentType: "application/json", body: "{}") }
    }

    @Test("only the user of the server may connect to the socket")
    func mode() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/socket"
            try await withSocketServer(path, [status]) {
                var found = stat()
                try #require(lstat(path, &found) == 0)
                #expect(found.st_mode & S_IFMT == S_IFSOCK)
                #expect(found.st_mode & 0o777 == 0o600)
                try await expect("GET /status", path, answers: "HTTP/1.1 200 ")
            }
        }
    }

    @Test("a route for POST receives the query, and answers no other method")
    func post() async throws {
        let route = StatusRoute(post: "/change") { .message("query: \($0)", status: 200) }
        try await withTemporaryDirectory { directory in
            let path = directory + "/socket"
            try await withSocketServer(path, [route, status]) {
                try await expect("POST /change?to=x%20y", path, answers: #"{"message":"query: to=x%20y"}"#)
                try await expect("POST /change", path, answers: #"{"message":"query: "}"#)
                try await expect("GET /change", path, answers: "HTTP/1.1 404 ")
                try await expect("POST /status", path, answers: "HTTP/1.1 404 ")
            }
        }
    }

    @Test("the socket of a server that was killed is replaced, and any other file is not")
    func stale() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/socket"
            // The server of the first round leaves its socket, as a killed one does.
            for _ in 0..<2 {
                try await withSocketServer(path, [status]) {
                    try await expect("GET /status", path, answers: "HTTP/1.1 200 ")
                }
            }
            let file = directory + "/file"
            try Data("precious".utf8).write(to: URL(filePath: file))
            let server = HealthServer(socket: file, name: "the file", routes: [], logger: CapturedLog().logger)
            let error = await #expect(throws: HealthServerError.self) { try await server.run() }
            let line = try #require(error).description
            #expect(line.contains("the file"))
            #expect(try String(contentsOfFile: file, encoding: .utf8) == "precious")
        }
    }

    @Test("a path in a directory that does not exist is an error with the path and the cause")
    func missing() async throws {
        let server = HealthServer(
            socket: "/nowhere/socket", name: "/state/control/socket", routes: [], logger: CapturedLog().logger)
        let error = await #expect(throws: HealthServerError.self) { try await server.run() }
        let line = try #require(error).description
        #expect(line.contains("'/state/control/socket'") && line.contains("No such file"), "\(line)")
        #expect(!line.contains("PREFECT_WORKER_WEBSERVER"))
    }

    @Test("clients that send nothing, or only a part of a request, are disconnected")
    func hostile() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/socket"
            let limits = HealthServer.Limits.wide(idleTime: .milliseconds(100), requestTime: .milliseconds(100))
            try await withSocketServer(path, [status], limits: limits) {
                let silent = try await RawConnection.connect(unixSocket: path)
                let slow = try await RawConnection.connect(unixSocket: path)
                try await slow.send("POST /status HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
                _ = try await silent.waitForEnding(timeout: .seconds(30))
                _ = try await slow.waitForEnding(timeout: .seconds(30))
            }
        }
    }
}
