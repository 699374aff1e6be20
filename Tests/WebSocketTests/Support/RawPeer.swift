import TransportPeers

@testable import PrefectWebSocket

/// The bytes of a frame from a server, valid or invalid.
func serverFrame(_ opcode: UInt8, _ payload: [UInt8] = [], isFinal: Bool = true) -> [UInt8] {
    var bytes = [opcode | (isFinal ? 0x80 : 0)]
    switch payload.count {
    case ...125: bytes.append(UInt8(payload.count))
    case ...0xffff: bytes += [126, UInt8(payload.count >> 8), UInt8(payload.count & 0xff)]
    default: bytes += [127] + (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
    }
    return bytes + payload
}

/// A frame from the client.
struct ClientFrame: Equatable, Sendable {
    var opcode: UInt8
    var isFinal: Bool
    var isMasked: Bool
    var mask: [UInt8]
    private var masked: [UInt8]

    init(opcode: UInt8, payload: [UInt8], isFinal: Bool = true) {
        (self.opcode, self.isFinal, isMasked, mask, masked) = (opcode, isFinal, true, [0, 0, 0, 0], payload)
    }

    private init(head: ArraySlice<UInt8>, mask: ArraySlice<UInt8>, masked: ArraySlice<UInt8>) {
        opcode = (head.first ?? 0) & 0x0f
        isFinal = (head.first ?? 0) & 0x80 != 0
        isMasked = (head.last ?? 0) & 0x80 != 0
        self.mask = Array(mask)
        self.masked = Array(masked)
    }

    var payload: [UInt8] { masked.enumerated().map { $0.element ^ mask[$0.offset % 4] } }
    var length: Int { masked.count }

    static func == (left: ClientFrame, right: ClientFrame) -> Bool {
        (left.opcode, left.isFinal, left.isMasked, left.payload)
            == (right.opcode, right.isFinal, right.isMasked, right.payload)
    }

    /// The first frame in the bytes, and the bytes after it; nil while the frame is incomplete.
    static func parse(_ bytes: [UInt8]) -> (frame: ClientFrame, rest: [UInt8])? {
        guard bytes.count >= 2 else { return nil }
        let width = bytes[1] & 0x7f == 126 ? 2 : bytes[1] & 0x7f == 127 ? 8 : 0
        let start = 6 + width
        guard bytes.count >= start else { return nil }
        let length = width == 0 ? Int(bytes[1] & 0x7f) : bytes[2..<2 + width].reduce(0) { $0 << 8 | Int($1) }
        guard bytes.count >= start + length else { return nil }
        let frame = ClientFrame(
            head: bytes[..<2], mask: bytes[(start - 4)..<start], masked: bytes[start..<start + length])
        return (frame, Array(bytes[(start + length)...]))
    }
}

/// A server without a WebSocket library, scripted by a test on its own thread. It accepts the handshake before the
/// script runs.
final class RawPeer {
    let connection: Connection
    let request: ReceivedRequest
    private var unread: [UInt8] = []

    /// Reads the request and accepts the handshake; nil when the client has ended the connection.
    init?(_ connection: Connection, headers: [String] = []) {
        guard let request = connection.readRequest() else { return nil }
        self.connection = connection
        self.request = request
        guard connection.write(Self.agreement(to: request, headers: headers)) else { return nil }
    }

    static func agreement(to request: ReceivedRequest, headers: [String] = []) -> String {
        let accept = UpgradeRequest.accept(for: request.value("Sec-WebSocket-Key") ?? "")
        let lines = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: \(accept)"] + headers
        return "HTTP/1.1 101 Switching Protocols\r\n" + lines.joined(separator: "\r\n") + "\r\n\r\n"
    }

    /// The client's next frame; nil when the client has ended the connection.
    func readFrame() -> ClientFrame? {
        while true {
            if let (frame, rest) = ClientFrame.parse(unread) {
                unread = rest
                return frame
            }
            guard let more = connection.read() else { return nil }
            unread += more
        }
    }

    /// Reads frames until a close frame, and returns its code; nil when the connection ends before.
    func readClose() -> UInt16? {
        while let frame = readFrame() {
            guard frame.opcode == 8 else { continue }
            return frame.payload.prefix(2).reduce(0) { $0 << 8 | UInt16($1) }
        }
        return nil
    }

    func write(_ bytes: [UInt8]) {
        connection.write(bytes)
    }

    static func server(_ body: @escaping @Sendable (RawPeer) -> Void) throws -> ScriptedServer {
        try ScriptedServer { connection in
            if let peer = RawPeer(connection) { body(peer) }
        }
    }
}

extension ScriptedServer {
    var socketURL: String { "ws://127.0.0.1:\(port)" }
}
