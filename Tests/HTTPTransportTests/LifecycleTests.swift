import FoundationEssentials
import Glibc
import Testing
import TransportPeers

@testable import HTTPTransport

@Suite("Transport lifecycle", .timeLimit(.minutes(5))) struct LifecycleTests {
    @Test("a shutdown fails the requests in flight and all later requests")
    func shutdown() async throws {
        let asked = Counter()
        let server = try ScriptedServer { connection in
            guard let request = connection.readRequest() else { return }
            if request.target == "/body" { connection.write("HTTP/1.1 200 OK\r\n\r\n") }
            asked.add(1)
            connection.waitForPeerToClose()
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let errors = await withTaskGroup(of: TransportError?.self) { group in
            for path in ["/head", "/head", "/body", "/body"] {
                group.addTask {
                    await transportError {
                        try await transport.text(HTTPRequest(url: server.url + path, deadlines: .stream()))
                    }
                }
            }
            #expect(await eventually { asked.value == 4 })
            async let first: Void = transport.shutdown()
            async let second: Void = transport.shutdown()
            _ = await (first, second)
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(errors.map { $0?.kind } == Array(repeating: .shutDown, count: 4))
        let late = await transportError { try await transport.text(HTTPRequest(url: server.url)) }
        #expect(late?.kind == .shutDown)
        #expect(late?.requestMayHaveBeenSent == false)
        await transport.shutdown()
    }

    @Test("a response can be read after the last reference to its transport is gone")
    func answerOutlivesTransport() async throws {
        let goOn = Signal()
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
            goOn.wait()
            connection.write("later")
        }
        defer { server.stop() }
        func send() async throws -> HTTPResponse {
            try await makeTransport().send(HTTPRequest(url: server.url))
        }
        let response = try await send()
        goOn.set()
        #expect(try await response.body.collect(upTo: 5) == Array("later".utf8))
    }

    @Test("two thousand requests leak no descriptors, and released transports leak no threads")
    func noLeaks() async {
        // The test runs in its own process, in which no other test opens descriptors.
        await #expect(processExitsWith: .success) {
            let server = try ScriptedServer { connection in
                while let request = connection.readRequest() {
                    if request.target == "/cut" { return }
                    connection.answer(body: String(repeating: "x", count: 2000))
                }
            }
            let transport = try makeTransport()
            func post(_ path: String = "/") async throws {
                let body = HTTPRequest.Body.bytes([UInt8](repeating: 1, count: 1000))
                let request = HTTPRequest(method: .post, url: server.url + path, body: body)
                _ = try await transport.fetch(request, maxBodyBytes: 4000)
            }
            for _ in 0..<50 { try await post() }
            // The runtime opens a descriptor for its timer with the first sleep. It does not belong to the transport.
            try await Task.sleep(for: .milliseconds(1))
            let descriptors = try LifecycleTests.entries("/proc/self/fd")
            for number in 0..<2000 {
                if number.isMultiple(of: 10) {
                    // Every tenth round adds a failure and an abandoned response.
                    try? await post("/cut")
                    _ = try await transport.send(HTTPRequest(url: server.url)).status
                }
                try await post()
            }
            let flat = await eventually { LifecycleTests.hasEntries(upTo: descriptors, "/proc/self/fd") }
            #expect(flat)
            await transport.shutdown()
            server.stop()

            let isGone = await eventually { (try? LifecycleTests.threads(named: "http-transport")) == 0 }
            #expect(isGone)
            for number in 0..<50 {
                let brief = try makeTransport()
                if number.isMultiple(of: 2) { await brief.shutdown() }
            }
            let ended = await eventually { (try? LifecycleTests.threads(named: "http-transport")) == 0 }
            #expect(ended)
            let closed = await eventually { LifecycleTests.hasEntries(upTo: descriptors, "/proc/self/fd") }
            #expect(closed)
            // Failed expectations in this process do not fail the test by themselves.
            guard flat, ended, closed, isGone else { exit(EXIT_FAILURE) }
        }
    }

    private static func entries(_ directory: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: directory).count
    }

    private static func hasEntries(upTo limit: Int, _ directory: String) -> Bool {
        (try? entries(directory)).map { $0 <= limit } ?? false
    }

    private static func threads(named name: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count { task in
            // A thread may end between the listing and this read.
            let text = try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8)
            return text == name + "\n"
        }
    }

    @Test("started programs do not inherit connections")
    func closeOnExec() async throws {
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.answer()
            connection.waitForPeerToClose()
        }
        defer { server.stop() }
        let transport = try makeTransport()
        _ = try await transport.text(HTTPRequest(url: server.url))
        let flags = (3..<4096).compactMap { descriptor in
            Sockets.peerPort(of: Int32(descriptor)) == server.port ? fcntl(Int32(descriptor), F_GETFD) : nil
        }
        #expect(flags == [FD_CLOEXEC])
        await transport.shutdown()
    }

    @Test("work submitted to the event loop runs on its thread, in order, until the loop stops")
    func execute() async throws {
        let loop = try EventLoop(TransportConfiguration(proxies: .direct))
        let log = Log<Int>()
        for number in 0..<100 {
            #expect(loop.execute { _ in log.append(number) })
        }
        let name = await withCheckedContinuation { continuation in
            loop.execute { _ in
                continuation.resume(returning: try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8))
            }
        }
        #expect(name == "http-transport\n")
        #expect(log.all == Array(0..<100))
        await loop.stop()
        #expect(!loop.execute { _ in log.append(-1) })
        #expect(log.all.count == 100)
    }

    @Test("a watched descriptor is reported as ready until it is unwatched")
    func watch() async throws {
        var ends: [Int32] = [0, 0]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { for end in ends { close(end) } }
        let loop = try EventLoop(TransportConfiguration(proxies: .direct))
        let bytes = Log<UInt8>()
        let near = ends[0]
        loop.execute { core in
            core.watch(near, for: .reading) { readiness in
                var byte: UInt8 = 0
                guard readiness.contains(.reading), read(near, &byte, 1) == 1 else { return }
                bytes.append(byte)
                if byte == 2 { core.unwatch(near) }
            }
        }
        for byte: UInt8 in 1...3 {
            var byte = byte
            #expect(write(ends[1], &byte, 1) == 1)
        }
        #expect(await eventually { bytes.all == [1, 2] })
        await loop.stop()
        #expect(bytes.all == [1, 2])
    }
}
