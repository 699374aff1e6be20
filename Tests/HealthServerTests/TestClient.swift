import Glibc

/// A client on a plain TCP socket that sends any text, well-formed or not. It never blocks its thread.
final class TestClient: Sendable {
    private let socket: Int32

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Connects to the loopback address.
    init(port: Int, isIPv6: Bool = false) throws {
        socket = Glibc.socket(isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let bigEndianPort = in_port_t(port).bigEndian
        var status: Int32
        if isIPv6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = bigEndianPort
            address.sin6_addr = in6addr_loopback
            status = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = bigEndianPort
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            status = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        if status != 0 {
            let cause = String(cString: strerror(errno))
            close(socket)
            throw Failure(description: "connect: \(cause)")
        }
    }

    deinit { close(socket) }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// The text received until `isEnough` returns true or the connection ends. Throws an error after thirty seconds.
    func receive(until isEnough: (String) -> Bool) async throws -> (text: String, isClosed: Bool) {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            let count = recv(socket, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count > 0 {
                bytes += buffer[..<count]
            } else if count == 0 || errno != EAGAIN {
                return (String(decoding: bytes, as: UTF8.self), true)
            }
            let text = String(decoding: bytes, as: UTF8.self)
            if isEnough(text) { return (text, false) }
            if count <= 0 { try await Task.sleep(for: .milliseconds(2)) }
        }
        throw Failure(description: "no end after thirty seconds: \(String(decoding: bytes, as: UTF8.self))")
    }

    /// Waits until the server has closed the connection, and returns the text received before.
    func waitForClose() async throws -> String {
        try await receive { _ in false }.text
    }

    /// Sends a request on a connection that is closed afterwards, and returns the answer.
    static func request(
        _ line: String, port: Int, isIPv6: Bool = false
    ) async throws -> (status: Int, head: String, body: String) {
        let client = try TestClient(port: port, isIPv6: isIPv6)
        client.send("\(line) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        let text = try await client.waitForClose()
        guard let end = text.range(of: "\r\n\r\n"), let status = Int(text.split(separator: " ").dropFirst().first ?? "")
        else { throw Failure(description: "not an answer: \(text)") }
        return (status, text[..<end.lowerBound].lowercased(), String(text[end.upperBound...]))
    }
}

extension String {
    /// The range of a substring, without Foundation.
    func range(of part: String) -> Range<String.Index>? {
        ranges(of: part).first
    }
}
