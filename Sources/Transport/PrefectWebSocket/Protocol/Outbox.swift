/// The queue of data to write. Messages keep their order and are cut into frames, so that a control frame waits behind
/// one of those at most. It is a value without I/O; frames are taken when the connection has room for them.
struct Outbox: Sendable {
    /// The bytes of one frame, and the ticket of the message that is complete with it.
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

    mutating func add(_ message: WebSocketMessage, ticket: UInt64) {
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

    /// Only the latest ping needs an answer (RFC 6455, 5.5.3). So a server that does not read pongs cannot fill the
    /// memory.
    mutating func addPong(_ payload: [UInt8]) {
        guard !isClosed else { return }
        control.removeAll { $0.opcode == .pong }
        control.append(Item(opcode: .pong, payload: payload))
    }

    /// Queues the close frame as the last frame. Nothing is written after it, and waiting messages are dropped.
    mutating func close(_ payload: [UInt8]) {
        guard !isClosed else { return }
        isClosed = true
        messages = []
        control.append(Item(opcode: .close, payload: payload))
    }

    /// Removes a message again, unless part of it is written; then the rest must follow.
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
