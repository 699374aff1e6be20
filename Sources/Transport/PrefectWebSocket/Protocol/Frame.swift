/// The type of a frame (RFC 6455, section 5.2).
enum Opcode: UInt8, Sendable {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xa

    var isControl: Bool { rawValue & 0x8 != 0 }
}

/// A protocol rule or a limit that the server violated, and the code to close with.
struct Violation: Error, Equatable {
    let code: WebSocketCloseCode
    let cause: String

    init(_ cause: String, code: WebSocketCloseCode = .protocolError) {
        self.code = code
        self.cause = cause
    }
}

/// Encodes frames as a client writes them, which is always masked.
enum Frame {
    static let longestControlPayload = 125

    static func encoded(
        _ opcode: Opcode, isFinal: Bool = true, payload: some Collection<UInt8>, mask: UInt32
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(payload.count + 14)
        bytes.append(opcode.rawValue | (isFinal ? 0x80 : 0))
        switch payload.count {
        case ...125:
            bytes.append(0x80 | UInt8(payload.count))
        case ...0xffff:
            bytes.append(0x80 | 126)
            withUnsafeBytes(of: UInt16(payload.count).bigEndian) { bytes.append(contentsOf: $0) }
        default:
            bytes.append(0x80 | 127)
            withUnsafeBytes(of: UInt64(payload.count).bigEndian) { bytes.append(contentsOf: $0) }
        }
        withUnsafeBytes(of: mask) { bytes.append(contentsOf: $0) }
        let start = bytes.count
        bytes.append(contentsOf: payload)
        bytes.withUnsafeMutableBytes { apply(mask, to: UnsafeMutableRawBufferPointer(rebasing: $0[start...])) }
        return bytes
    }

    /// The payload of a close frame. A reason that is too long is cut between two characters.
    static func closePayload(_ code: WebSocketCloseCode, reason: String) -> [UInt8] {
        var payload = withUnsafeBytes(of: code.rawValue.bigEndian) { Array($0) }
        for character in reason.unicodeScalars {
            let encoded = UTF8.encode(character) ?? UTF8.encodedReplacementCharacter
            guard payload.count + encoded.count <= longestControlPayload else { break }
            payload.append(contentsOf: encoded)
        }
        return payload
    }

    /// Masks or unmasks bytes. The mask's bytes are used in memory order.
    static func apply(_ mask: UInt32, to bytes: UnsafeMutableRawBufferPointer) {
        let wide = UInt64(mask) << 32 | UInt64(mask)
        var index = 0
        while index + 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            bytes.storeBytes(of: word ^ wide, toByteOffset: index, as: UInt64.self)
            index += 8
        }
        withUnsafeBytes(of: wide) { pattern in
            while index < bytes.count {
                bytes[index] ^= pattern[index % 8]
                index += 1
            }
        }
    }
}
