/// Assembles a server's frames into messages, and rejects a wrong order, size or content. It is a value without I/O: it
/// takes bytes in any portions and returns whole messages and control frames.
struct MessageAssembler: Sendable {
    enum Event: Equatable {
        case message(WebSocketMessage)
        case ping([UInt8])
        case pong([UInt8])
        /// A close frame. Bytes after it are ignored.
        case close(WebSocketCloseCode, reason: String)
        /// A violation of the protocol or a limit. Bytes after it are ignored.
        case violation(Violation)
    }

    private let maximumMessageBytes: Int
    private var decoder = FrameDecoder()
    private var frame: (opcode: Opcode, isFinal: Bool)?
    /// The message being received.
    private var message: (opcode: Opcode, bytes: [UInt8], validator: UTF8Validator)?
    /// The payload of the control frame being received.
    private var control: [UInt8] = []
    private var isOver = false

    init(maximumMessageBytes: Int) {
        self.maximumMessageBytes = maximumMessageBytes
    }

    mutating func receive(_ bytes: some Collection<UInt8>) -> [Event] {
        var rest = ArraySlice(bytes)
        var events: [Event] = []
        do throws(Violation) {
            while !isOver, let part = try decoder.next(&rest) {
                switch part {
                case .header(let opcode, let isFinal, let length):
                    try begin(opcode, isFinal: isFinal, length: length)
                case .payload(let piece):
                    try take(piece)
                case .end:
                    if let event = try finish() { events.append(event) }
                }
            }
        } catch {
            isOver = true
            message = nil
            events.append(.violation(error))
        }
        return events
    }

    private mutating func begin(_ opcode: Opcode, isFinal: Bool, length: Int) throws(Violation) {
        frame = (opcode, isFinal)
        if opcode.isControl { return }
        if opcode == .continuation {
            guard message != nil else { throw Violation("a continuation frame has no message to continue") }
        } else {
            guard message == nil else { throw Violation("a message begins inside another") }
            message = (opcode, [], UTF8Validator())
        }
        guard length <= maximumMessageBytes - (message?.bytes.count ?? 0) else {
            throw Violation("a message is larger than \(maximumMessageBytes) bytes", code: .messageTooBig)
        }
    }

    private mutating func take(_ piece: ArraySlice<UInt8>) throws(Violation) {
        guard frame?.opcode.isControl == false else { return control.append(contentsOf: piece) }
        message?.bytes.append(contentsOf: piece)
        guard message?.opcode == .text else { return }
        guard message?.validator.accepts(piece) == true else { throw Self.notText }
    }

    private mutating func finish() throws(Violation) -> Event? {
        guard let frame else { return nil }
        self.frame = nil
        if frame.opcode.isControl {
            defer { control = [] }
            switch frame.opcode {
            case .ping: return .ping(control)
            case .pong: return .pong(control)
            default: return try close()
            }
        }
        guard frame.isFinal, let message else { return nil }
        self.message = nil
        guard message.opcode == .text else { return .message(.binary(message.bytes)) }
        guard !message.validator.isInsideCharacter else { throw Self.notText }
        return .message(.text(String(decoding: message.bytes, as: UTF8.self)))
    }

    private mutating func close() throws(Violation) -> Event {
        if control.isEmpty {
            isOver = true
            return .close(.noStatus, reason: "")
        }
        guard control.count > 1 else { throw Violation("a close frame has an incomplete code") }
        let code = WebSocketCloseCode(rawValue: UInt16(control[0]) << 8 | UInt16(control[1]))
        guard code.isAllowedOnTheWire else { throw Violation("a close frame has the code \(code)") }
        let reason = control[2...]
        var validator = UTF8Validator()
        guard validator.accepts(reason), !validator.isInsideCharacter else {
            throw Violation("the reason of a close frame is not UTF-8", code: .invalidData)
        }
        isOver = true
        return .close(code, reason: String(decoding: reason, as: UTF8.self))
    }

    private static let notText = Violation("a text message is not UTF-8", code: .invalidData)
}
