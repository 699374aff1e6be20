import Glibc
import Synchronization

/// A server on a real socket, scripted by a test. A blocking closure serves each connection on a thread of its own.
/// When the closure returns, the server closes the connection.
package final class ScriptedServer: Sendable {
    package typealias Handler = @Sendable (Connection) -> Void

    private struct State {
        var accepted = 0
        var open: [Int32: Connection] = [:]
        var isStopped = false
    }

    package let port: Int
    private let listener: Int32
    private let state = Mutex(State())

    /// Listens on a free port of the loopback address, or on a Unix socket.
    package init(unixSocketPath: String? = nil, _ handler: @escaping Handler) throws {
        if let unixSocketPath {
            listener = try Sockets.listen(unixSocketPath: unixSocketPath)
            port = 0
        } else {
            (listener, port) = try Sockets.listenOnLoopback()
        }
        startThread { [weak self, listener] in
            // Only this thread closes the listener, so no other server gets its number while this thread uses it.
            defer { close(listener) }
            while true {
                guard let descriptor = Sockets.accept(from: listener) else { return }
                guard let self else {
                    close(descriptor)
                    return
                }
                self.serve(Connection(descriptor), handler)
            }
        }
    }

    private func serve(_ connection: Connection, _ handler: @escaping Handler) {
        let number = state.withLock { state -> Int32? in
            guard !state.isStopped else { return nil }
            state.accepted += 1
            state.open[Int32(state.accepted)] = connection
            return Int32(state.accepted)
        }
        guard let number else { return connection.close() }
        startThread { [weak self] in
            handler(connection)
            connection.close()
            self?.state.withLock { $0.open[number] = nil }
        }
    }

    deinit {
        stop()
    }

    package var url: String { "http://127.0.0.1:\(port)" }

    /// The number of connections accepted so far.
    package var connectionCount: Int { state.withLock { $0.accepted } }

    /// Stops listening, and wakes every handler by ending its connection.
    package func stop() {
        let open = state.withLock { state -> [Connection] in
            if state.isStopped { return [] }
            state.isStopped = true
            shutdown(listener, Int32(SHUT_RDWR))
            return Array(state.open.values)
        }
        for connection in open { connection.endBothWays() }
    }
}

/// The server's side of one connection.
package final class Connection: Sendable {
    private let descriptor: Mutex<Int32?>
    private let unread = Mutex<[UInt8]>([])

    package init(_ descriptor: Int32) {
        self.descriptor = Mutex(descriptor)
    }

    /// Reads one request with its body; nil when the peer has closed the connection.
    package func readRequest() -> ReceivedRequest? {
        var bytes = unread.withLock { $0 }
        while true {
            if let (request, rest) = ReceivedRequest.parse(bytes) {
                unread.withLock { $0 = rest }
                return request
            }
            guard let more = read() else { return nil }
            bytes += more
        }
    }

    package func read() -> [UInt8]? {
        guard let descriptor = descriptor.withLock({ $0 }) else { return nil }
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer.prefix(count)) : nil
    }

    /// Blocks until the peer closes or resets the connection, and discards all bytes that arrive before.
    package func waitForPeerToClose() {
        while read() != nil {}
    }

    /// Writes all bytes; false when the peer has ended the connection.
    @discardableResult
    package func write(_ bytes: some Collection<UInt8>) -> Bool {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            guard let descriptor = descriptor.withLock({ $0 }) else { return false }
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    @discardableResult
    package func write(_ text: String) -> Bool {
        write(Array(text.utf8))
    }

    /// Writes a complete response with a `Content-Length`.
    @discardableResult
    package func answer(_ status: String = "200 OK", headers: [String] = [], body: String = "") -> Bool {
        answer(status, headers: headers, bytes: Array(body.utf8))
    }

    @discardableResult
    package func answer(_ status: String = "200 OK", headers: [String] = [], bytes: [UInt8]) -> Bool {
        let head = ["HTTP/1.1 \(status)", "Content-Length: \(bytes.count)"] + headers
        return write(Array((head.joined(separator: "\r\n") + "\r\n\r\n").utf8) + bytes)
    }

    package func chunk(_ text: String) {
        write(String(text.utf8.count, radix: 16) + "\r\n" + text + "\r\n")
    }

    package func endBothWays() {
        descriptor.withLock { descriptor in
            if let descriptor { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }

    /// Closes the connection with a reset instead of an orderly end.
    package func reset() {
        descriptor.withLock { descriptor in
            guard let open = descriptor else { return }
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(open, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
            Glibc.close(open)
            descriptor = nil
        }
    }

    package func close() {
        descriptor.withLock { descriptor in
            if let open = descriptor { Glibc.close(open) }
            descriptor = nil
        }
    }

    /// Acts as a proxy's tunnel: connects to another port, and copies bytes both ways until either side ends. Returns
    /// false if it cannot connect.
    package func tunnel(toPort port: Int) -> Bool {
        guard let other = Sockets.connectToLoopback(port: port).map(Connection.init) else { return false }
        write("HTTP/1.1 200 Connection established\r\n\r\n")
        let ended = Signal()
        startThread {
            while let bytes = other.read(), self.write(bytes) {}
            self.endBothWays()
            ended.set()
        }
        while let bytes = read(), other.write(bytes) {}
        other.endBothWays()
        ended.wait()
        other.close()
        return true
    }
}

/// A request as received.
package struct ReceivedRequest: Sendable {
    package var method = ""
    package var target = ""
    /// The lines between the request line and the empty line, unparsed.
    package var lines: [String] = []
    package var body: [UInt8] = []

    package func values(_ name: String) -> [String] {
        lines.compactMap { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].lowercased() == name.lowercased() else { return nil }
            return String(parts[1].drop { $0 == " " })
        }
    }

    package func value(_ name: String) -> String? { values(name).first }

    /// The first request in the bytes, and the bytes after it; nil while the request is incomplete.
    package static func parse(_ bytes: [UInt8]) -> (ReceivedRequest, [UInt8])? {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        var lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
            .split(separator: "\r\n").map(String.init)
        let requestLine = lines.removeFirst().split(separator: " ").map(String.init)
        guard requestLine.count == 3 else { return nil }
        var request = ReceivedRequest(method: requestLine[0], target: requestLine[1], lines: lines)
        let length = request.value("Content-Length").flatMap { Int($0) } ?? 0
        let rest = bytes[end.upperBound...]
        guard rest.count >= length else { return nil }
        request.body = Array(rest.prefix(length))
        return (request, Array(rest.dropFirst(length)))
    }
}
