/// What is to be written: messages in order, cut into frames so that a control frame never waits behind more than one
/// of them. A value without I/O; frames come out as the connection has room for them.
struct Outbox: Sendable {
    /// One frame's bytes, and whose message or ping is complete with it.
    struct Written: Equatable {
        var bytes: [UInt8]
        var finishes: UInt64?
    }

    private struct Item {
        var opcode: Opcode
        var payload: [UInt8]
        var ticket: UInt64?
        var offset = 0
    }

    static let largestPayload = 64 * 1024

    private var control: [Item] = []
    private var messages: [Item] = []
    private var isClosed = false

    var isEmpty: Bool { control.isEmpty && messages.isEmpty }

    mutating func add(_ message: WebSocket.Message, ticket: UInt64) {
        guard !isClosed else { return }
        switch message {
        case .text(let text): messages.append(Item(opcode: .text, payload: Array(text.utf8), ticket: ticket))
        case .binary(let bytes): messages.append(Item(opcode: .binary, payload: bytes, ticket: ticket))
        }
    }

    mutating func addPing(_ payload: [UInt8]) {
        guard !isClosed else { return }
        control.append(Item(opcode: .ping, payload: payload))
    }

    /// Only the latest ping needs an answer (RFC 6455, 5.5.3), so a server that does not read them holds no memory.
    mutating func addPong(_ payload: [UInt8]) {
        guard !isClosed else { return }
        control.removeAll { $0.opcode == .pong }
        control.append(Item(opcode: .pong, payload: payload))
    }

    /// The last frame: nothing is written after it, and messages that wait are dropped.
    mutating func close(_ payload: [UInt8]) {
        guard !isClosed else { return }
        isClosed = true
        messages = []
        control.append(Item(opcode: .close, payload: payload))
    }

    /// Takes a message out again unless part of it is written, which must be followed by the rest.
    mutating func withdraw(_ ticket: UInt64) {
        messages.removeAll { $0.ticket == ticket && $0.offset == 0 }
    }

    mutating func next(using generator: inout some RandomNumberGenerator) -> Written? {
        if !control.isEmpty {
            let item = control.removeFirst()
            let bytes = Frame.encoded(item.opcode, payload: item.payload, mask: generator.next())
            return Written(bytes: bytes)
        }
        guard let item = messages.first else { return nil }
        let end = min(item.offset + Self.largestPayload, item.payload.count)
        let isFinal = end == item.payload.count
        let bytes = Frame.encoded(
            item.offset == 0 ? item.opcode : .continuation, isFinal: isFinal, payload: item.payload[item.offset..<end],
            mask: generator.next())
        if isFinal {
            messages.removeFirst()
        } else {
            messages[0].offset = end
        }
        return Written(bytes: bytes, finishes: isFinal ? item.ticket : nil)
    }
}
