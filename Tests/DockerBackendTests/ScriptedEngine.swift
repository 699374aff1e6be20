import Foundation
import Glibc
import PrefectJSON
import Synchronization

/// An Engine on a Unix socket that answers by a test's script, and records the requests.
final class ScriptedEngine: Sendable {
    struct Request: Sendable {
        let method: String
        /// The path without the API version.
        let path: String
        let query: String
        let headers: [String: String]
        let body: JSONValue
    }

    enum Reply: Sendable {
        case json(Int, JSONValue)
        /// These values as lines, and the end of the stream.
        case lines([JSONValue])
        /// These bytes, and the end of the stream.
        case bytes([UInt8])
        /// A stream that begins with these bytes and stays open until the Engine is stopped.
        case open([UInt8])
        /// The first bytes of a longer answer, and the end of the connection.
        case cut([UInt8])
        /// The end of the connection without an answer.
        case drop

        static func message(_ status: Int, _ text: String) -> Reply { .json(status, ["message": .string(text)]) }
    }

    typealias Script = @Sendable (Request) -> Reply

    let path: String
    private let listener: Int32
    private let state: Mutex<(script: Script, requests: [Request], open: [Int32], isStopped: Bool)>

    init(_ script: @escaping Script) throws {
        path = "/tmp/scripted-engine-\(UUID().uuidString.prefix(8)).sock"
        state = Mutex((script, [], [], false))
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0, listen(listener, 64) == 0 else { throw POSIXError(.EADDRINUSE) }
        Thread.detachNewThread { [weak self, listener] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0, let self else { return }
                let isStopped = self.state.withLock { state in
                    state.open.append(connection)
                    return state.isStopped
                }
                if isStopped { shutdown(connection, Int32(SHUT_RDWR)) }
                Thread.detachNewThread { self.serve(connection) }
            }
        }
    }

    /// Ends all connections and accepts no more.
    func stop() {
        // The lock keeps connections from being closed meanwhile. Another test could then own the descriptor's number.
        state.withLock { state in
            state.isStopped = true
            for connection in state.open { shutdown(connection, Int32(SHUT_RDWR)) }
        }
        shutdown(listener, Int32(SHUT_RDWR))
        unlink(path)
    }

    /// Ends the connections, and accepts new ones.
    func endStreams() {
        state.withLock { state in
            for connection in state.open { shutdown(connection, Int32(SHUT_RDWR)) }
        }
    }

    /// The received requests in order, without those for the version.
    var requests: [Request] { state.withLock { $0.requests.filter { $0.path != "/version" } } }

    /// The methods and paths of the requests.
    var calls: [String] { requests.map { "\($0.method) \($0.path)" } }

    private func serve(_ connection: Int32) {
        defer {
            state.withLock { state in
                state.open.removeAll { $0 == connection }
                close(connection)
            }
        }
        var buffer: [UInt8] = []
        while let request = read(connection, &buffer) {
            let script = state.withLock { state in
                state.requests.append(request)
                return state.script
            }
            let reply: Reply =
                request.path == "/version"
                ? .json(200, ["ApiVersion": "1.41", "Version": "20.10.24", "MinAPIVersion": "1.12"]) : script(request)
            switch reply {
            case .json(let status, let json):
                let body = json.isNull ? [] : json.serializedBytes()
                let head =
                    "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n"
                write(connection, Array(head.utf8) + body)
            case .lines(let lines):
                let body = lines.flatMap { line -> [UInt8] in line.serializedBytes() + [UInt8(10)] }
                write(connection, Array("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".utf8) + body)
                return
            case .bytes(let bytes):
                write(connection, Array("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".utf8) + bytes)
                return
            case .open(let bytes):
                write(connection, Array("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".utf8) + bytes)
                var byte: UInt8 = 0
                _ = Glibc.read(connection, &byte, 1)
                return
            case .cut(let bytes):
                write(connection, Array("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n".utf8) + bytes)
                return
            case .drop: return
            }
        }
    }

    private func write(_ connection: Int32, _ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    private func read(_ connection: Int32, _ buffer: inout [UInt8]) -> Request? {
        func fill() -> Bool {
            var chunk = [UInt8](repeating: 0, count: 16384)
            let count = Glibc.read(connection, &chunk, chunk.count)
            guard count > 0 else { return false }
            buffer += chunk[..<count]
            return true
        }
        let separator = Array("\r\n\r\n".utf8)
        while buffer.firstRange(of: separator) == nil { guard fill() else { return nil } }
        guard let end = buffer.firstRange(of: separator) else { return nil }
        let lines = String(decoding: buffer[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            if parts.count == 2 { headers[parts[0].lowercased()] = parts[1] }
        }
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        buffer.removeSubrange(..<end.upperBound)
        while buffer.count < length { guard fill() else { return nil } }
        let body = (try? JSONValue(parsing: Array(buffer.prefix(length)))) ?? .null
        buffer.removeFirst(length)
        let words = lines[0].split(separator: " ").map(String.init)
        guard words.count >= 2 else { return nil }
        let target = words[1].split(separator: "?", maxSplits: 1).map(String.init)
        var path = target[0]
        if path.hasPrefix("/v1."), let slash = path.dropFirst().firstIndex(of: "/") { path = String(path[slash...]) }
        return Request(
            method: words[0], path: path, query: target.dropFirst().first?.removingPercentEncoding ?? "",
            headers: headers, body: body)
    }
}
