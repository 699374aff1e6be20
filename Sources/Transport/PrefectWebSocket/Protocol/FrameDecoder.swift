/// Splits a server's bytes into frames, and rejects errors within a single frame. It is a value without I/O, and it
/// buffers no payload.
struct FrameDecoder: Sendable {
    enum Part: Equatable {
        /// A frame begins.
        case header(Opcode, isFinal: Bool, length: Int)
        /// Part of the frame's payload, never empty.
        case payload(ArraySlice<UInt8>)
        /// The frame is complete.
        case end
    }

    private enum State {
        /// The bytes of the header received so far.
        case header([UInt8])
        /// The number of payload bytes still to come.
        case payload(Int)
    }

    private var state = State.header([])

    /// Takes the next part off the front of the bytes. Returns nil when they are used up and more are needed.
    mutating func next(_ bytes: inout ArraySlice<UInt8>) throws(Violation) -> Part? {
        switch state {
        case .payload(0):
            state = .header([])
            return .end
        case .payload(let left):
            guard !bytes.isEmpty else { return nil }
            let piece = bytes.prefix(left)
            bytes = bytes.dropFirst(piece.count)
            state = .payload(left - piece.count)
            return .payload(piece)
        case .header(var header):
            while let byte = bytes.popFirst() {
                header.append(byte)
                if let begin = try Self.parse(header) {
                    state = .payload(begin.length)
                    return .header(begin.opcode, isFinal: begin.isFinal, length: begin.length)
                }
            }
            state = .header(header)
            return nil
        }
    }

    /// Returns nil while bytes are missing. Each byte is checked as soon as it arrives.
    private static func parse(
        _ header: [UInt8]
    ) throws(Violation) -> (opcode: Opcode, isFinal: Bool, length: Int)? {
        guard header[0] & 0x70 == 0 else { throw Violation("a frame has reserved bits set") }
        guard let opcode = Opcode(rawValue: header[0] & 0x0f) else {
            throw Violation("a frame has the unknown opcode \(header[0] & 0x0f)")
        }
        let isFinal = header[0] & 0x80 != 0
        guard isFinal || !opcode.isControl else { throw Violation("a control frame is fragmented") }
        guard header.count > 1 else { return nil }

        guard header[1] & 0x80 == 0 else { throw Violation("the server masks its frames") }
        let short = Int(header[1])
        guard short > Frame.longestControlPayload else { return (opcode, isFinal, short) }
        guard !opcode.isControl else { throw Violation("a control frame is longer than 125 bytes") }
        let (width, least) = short == 126 ? (2, 126) : (8, 0x1_0000)
        if width == 8, header.count > 2, header[2] & 0x80 != 0 {
            throw Violation("a frame's length has its highest bit set")
        }
        guard header.count == 2 + width else { return nil }
        let length = header[2...].reduce(0) { $0 << 8 | Int($1) }
        guard length >= least else { throw Violation("a frame's length is not written in its shortest form") }
        return (opcode, isFinal, length)
    }
}
