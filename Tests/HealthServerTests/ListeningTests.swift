import TestSupport
import Testing

@testable import HealthServer

@Suite("A health server that cannot listen", .timeLimit(.minutes(1)))
struct ListeningTests {
    private func failure(host: String, port: Int) async -> HealthServerError? {
        let server = HealthServer(
            host: host, port: port, liveness: { .good }, readiness: { .good }, logger: CapturedLog().logger)
        return await #expect(throws: HealthServerError.self) {
            try await server.run { _ in Issue.record("it listens") }
        }
    }

    @Test("the error for a port in use is one line with the address and the setting")
    func portInUse() async throws {
        try await withServer { port in
            let error = await failure(host: "127.0.0.1", port: port)
            #expect(error?.cause == .portInUse)
            let line = try #require(error).description
            #expect(line.contains("127.0.0.1:\(port)"))
            #expect(line.contains("PREFECT_WORKER_WEBSERVER_PORT"))
            #expect(!line.contains("\n"))
        }
    }

    @Test("the error for a host of another machine names the setting")
    func foreignAddress() async throws {
        let error = await failure(host: "203.0.113.1", port: 0)
        #expect(error?.cause == .foreignAddress)
        let line = try #require(error).description
        #expect(line.contains("PREFECT_WORKER_WEBSERVER_HOST"))
    }

    @Test("the error for a host without an address names the host and the port")
    func unknownHost() async throws {
        let error = await failure(host: "no-such-host.invalid", port: 8080)
        #expect(error?.cause == .unknownHost)
        let line = try #require(error).description
        #expect(line.contains("no-such-host.invalid:8080"))
    }

    @Test("an invalid port number is refused", arguments: [-1, 65536])
    func invalidPort(port: Int) async throws {
        #expect(await failure(host: "::1", port: port)?.cause == .invalidPort)
    }
}
