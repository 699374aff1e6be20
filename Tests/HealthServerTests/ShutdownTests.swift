import Logging
import ServiceLifecycle
import TestSupport
import Testing

@testable import HealthServer

@Suite("Health server shutdown", .timeLimit(.minutes(1)))
struct ShutdownTests {
    @Test("cancellation ends the server immediately, even with open connections")
    func openConnections() async throws {
        let (clients, keep) = AsyncStream.makeStream(of: TestClient.self)
        let time = try await withServer { port in
            let asked = try TestClient(port: port)
            asked.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try await asked.receive { $0.hasSuffix("}") }
            let halfway = try TestClient(port: port)
            halfway.send("GET /hea")
            for client in [asked, halfway, try TestClient(port: port)] { keep.yield(client) }
        }
        // A server that waited for open connections would end only with their limits, after ten minutes.
        #expect(time < .seconds(20))
        keep.finish()
        for await client in clients {
            _ = try await client.waitForClose()
        }
    }

    @Test("a server that is started in a cancelled task ends")
    func cancelledBefore() async throws {
        let server = HealthServer(
            host: "127.0.0.1", port: 0, liveness: { .good }, readiness: { .good }, logger: CapturedLog().logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.cancelAll()
            group.addTask { try await server.run() }
            try await group.waitForAll()
        }
    }

    @Test("connections that arrive during the shutdown cause no error")
    func storm() async throws {
        for _ in 0..<20 {
            let server = HealthServer(
                host: "127.0.0.1", port: 0, liveness: { .good }, readiness: { .good }, logger: CapturedLog().logger)
            let (addresses, continuation) = AsyncStream.makeStream(of: ListeningAddress.self)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.run { continuation.yield($0) } }
                var ports = addresses.makeAsyncIterator()
                let port = await ports.next()?.port ?? 0
                var clients: [TestClient] = []
                for count in 0..<60 {
                    if count == 40 { group.cancelAll() }
                    guard let client = try? TestClient(port: port) else { break }
                    client.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
                    clients.append(client)
                }
                try await group.waitForAll()
                #expect(clients.count >= 40)
            }
        }
    }

    @Test("the server keeps answering during a graceful shutdown until it is cancelled")
    func gracefulShutdown() async throws {
        struct Hosted: Service {
            let server: HealthServer
            let onListening: @Sendable (ListeningAddress) -> Void
            func run() async throws { try await server.run(onListening: onListening) }
        }
        let (addresses, continuation) = AsyncStream.makeStream(of: ListeningAddress.self)
        let server = HealthServer(
            host: "127.0.0.1", port: 0, liveness: { .good }, readiness: { .good }, logger: CapturedLog().logger)
        let services = ServiceGroup(
            configuration: .init(
                services: [.init(service: Hosted(server: server) { continuation.yield($0) })],
                logger: CapturedLog().logger))
        await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await services.run() }
            var ports = addresses.makeAsyncIterator()
            let port = await ports.next()?.port ?? 0
            await services.triggerGracefulShutdown()
            for _ in 0..<20 {
                let status = try? await TestClient.request("GET /health", port: port).status
                #expect(status == 200)
            }
            group.cancelAll()
            // The error of the group's own cancellation is not part of this test.
            while await group.nextResult() != nil {}
        }
    }

    @Test("the date header has the correct date and time")
    func httpDate() {
        #expect(HTTPDate.text(secondsSince1970: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }
}
