import Glibc
import HTTPTransport
import PrefectWebSocket
import Testing
import TransportPeers

/// A server that uses Python's `websockets`, which is independent of this implementation.
struct PythonPeer: Sendable {
    let port: Int
    private let process: ChildProcess

    /// A Python with the `websockets` package; nil without one.
    static let python = ["/usr/bin/python3", "python3"].first {
        ChildProcess.run([$0, "-c", "from websockets.legacy.server import serve"])
    }

    static var isPossible: Bool { python != nil }

    /// Starts the server, and waits for its port on a thread of its own. If the few threads of the pool were blocked,
    /// other tests would miss their deadlines.
    static func start(_ certificates: Certificates? = nil, subprotocols: [String] = []) async throws -> PythonPeer {
        var arguments = [server, subprotocols.joined(separator: ",")]
        if let certificates { arguments += [certificates.path("server.pem"), certificates.path("server.key")] }
        return try await start(arguments)
    }

    /// Starts an HTTP proxy that is reached over TLS and supports only `CONNECT`.
    static func startProxy(_ certificates: Certificates) async throws -> PythonPeer {
        try await start([proxy, certificates.path("server.pem"), certificates.path("server.key")])
    }

    private static func start(_ program: [String]) async throws -> PythonPeer {
        try await onThread { Result { try PythonPeer(program) } }.get()
    }

    private init(_ program: [String]) throws {
        process = try ChildProcess([Self.python ?? "python3", "-u", "-W", "ignore", "-c"] + program)
        guard let port = process.waitForLine(beginningWith: "PORT ").flatMap({ Int($0.dropFirst(5)) }) else {
            process.kill()
            throw SystemError(operation: "websockets")
        }
        self.port = port
    }

    func url(_ path: String, scheme: String = "ws", host: String = "127.0.0.1") -> String {
        "\(scheme)://\(host):\(port)\(path)"
    }

    /// The next line of the server's output with this prefix.
    func line(_ prefix: String) async -> String? {
        await onThread { [process] in process.waitForLine(beginningWith: prefix) }
    }

    func stop() {
        process.kill()
    }

    private static let server = """
        import asyncio, json, ssl, sys
        from http import HTTPStatus
        from websockets.legacy.server import serve
        from websockets.exceptions import ConnectionClosed

        sent = 0

        async def handle(ws):
            global sent
            kind, *words = ws.path.split('?')[0].strip('/').split('/')
            try:
                if kind == 'echo':
                    async for message in ws:
                        await ws.send(message)
                elif kind == 'fragments':
                    async for message in ws:
                        async def pieces():
                            for start in range(0, len(message), 7):
                                yield message[start:start + 7]
                        await ws.send(pieces())
                elif kind == 'close':
                    await ws.close(int(words[0]), words[1])
                elif kind == 'ping':
                    await (await ws.ping(b'are you there'))
                    await ws.send('pong seen')
                    await ws.wait_closed()
                elif kind == 'headers':
                    await ws.send(json.dumps([ws.subprotocol, ws.path, list(ws.request_headers.raw_items())]))
                    await ws.wait_closed()
                elif kind == 'flood':
                    for number in range(int(words[0])):
                        await ws.send(bytes([number % 256]) * int(words[1]))
                        sent = number + 1
                    await ws.close(1000, 'done')
                elif kind == 'deaf':
                    await asyncio.sleep(600)
                elif kind == 'count':
                    total = 0
                    async for message in ws:
                        total += len(message)
                    print('COUNT', total)
                await ws.wait_closed()
            except ConnectionClosed:
                pass
            print('CLOSED', ws.close_code, ws.close_reason)

        async def process(path, headers):
            path = path.split('?')[0]
            if path == '/sent':
                return HTTPStatus.OK, [], str(sent).encode()
            if path == '/forbidden':
                return HTTPStatus.FORBIDDEN, [('Retry-After', '7')], b'not for you'
            if path == '/large':
                return HTTPStatus.SERVICE_UNAVAILABLE, [], b'x' * 100000

        async def main():
            context = None
            if len(sys.argv) > 2:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(sys.argv[2], sys.argv[3])
                # It would be believed, and is not spoken.
                context.set_alpn_protocols(['h2', 'http/1.1'])
            async with serve(
                handle, '127.0.0.1', 0, subprotocols=sys.argv[1].split(',') if sys.argv[1] else None, ssl=context,
                max_size=None, ping_interval=None, process_request=process, compression='deflate',
            ) as server:
                print('PORT', server.sockets[0].getsockname()[1])
                await asyncio.Future()

        asyncio.run(main())
        """

    private static let proxy = """
        import asyncio, ssl, sys

        async def copy(reader, writer):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.close()

        async def tunnel(reader, writer):
            head = await reader.readuntil(b'\\r\\n\\r\\n')
            host, port = head.split()[1].decode().rsplit(':', 1)
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            writer.write(b'HTTP/1.1 200 OK\\r\\n\\r\\n')
            await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer), return_exceptions=True)

        async def main():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(sys.argv[1], sys.argv[2])
            server = await asyncio.start_server(tunnel, '127.0.0.1', 0, ssl=context)
            print('PORT', server.sockets[0].getsockname()[1])
            await asyncio.Future()

        asyncio.run(main())
        """
}

private func onThread<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
    await withCheckedContinuation { continuation in
        startThread { continuation.resume(returning: body()) }
    }
}

/// The error with which an operation on a WebSocket ends. Records an issue if there is none.
func socketError(
    _ body: () async throws -> some Any, sourceLocation: SourceLocation = #_sourceLocation
) async -> WebSocketError? {
    do {
        _ = try await body()
        Issue.record("nothing was thrown", sourceLocation: sourceLocation)
        return nil
    } catch let error as WebSocketError {
        return error
    } catch {
        Issue.record("\(error) is not a WebSocketError", sourceLocation: sourceLocation)
        return nil
    }
}

extension HTTPTransport {
    /// Opens a WebSocket for as long as the body runs, and closes it with code 1000, or 1001 when the body throws.
    func withWebSocket<Result>(
        _ request: WebSocketRequest, isolation: isolated (any Actor)? = #isolation,
        _ body: (WebSocket) async throws -> Result
    ) async throws -> Result {
        let socket = try await webSocket(request)
        do {
            let result = try await body(socket)
            await socket.close()
            return result
        } catch {
            await socket.close(code: .goingAway)
            throw error
        }
    }
}

extension WebSocketError {
    var connectionKind: TransportError.Kind? {
        if case .notConnected(let error) = kind { error.kind } else { nil }
    }
}
