import Testing
import TransportPeers

@testable import PrefectWebSocket

@Suite("Messages from frames") struct MessageAssemblerTests {
    typealias Event = MessageAssembler.Event

    private func events(_ bytes: [UInt8], limit: Int = 1000) -> [Event] {
        var assembler = MessageAssembler(maximumMessageBytes: limit)
        return assembler.receive(bytes)
    }

    private func code(_ bytes: [UInt8], limit: Int = 1000) -> WebSocket.CloseCode? {
        if case .violation(let violation) = events(bytes, limit: limit).last { violation.code } else { nil }
    }

    @Test("text and binary messages of all lengths are fully assembled", arguments: [0, 1, 125, 126, 65535, 65536])
    func lengths(_ length: Int) {
        let bytes = [UInt8](repeating: UInt8(ascii: "a"), count: length)
        #expect(events(serverFrame(2, bytes), limit: 65536) == [.message(.binary(bytes))])
        let text = String(repeating: "a", count: length)
        #expect(events(serverFrame(1, bytes), limit: 65536) == [.message(.text(text))])
    }

    @Test("fragments form one message, and control frames in between are delivered immediately")
    func fragments() {
        let bytes =
            serverFrame(1, Array("Grü".utf8.dropLast()), isFinal: false) + serverFrame(9, [1, 2])
            + serverFrame(0, [], isFinal: false) + serverFrame(10, [3])
            + serverFrame(0, Array("Grüße".utf8.dropFirst(3)))
        #expect(events(bytes) == [.ping([1, 2]), .pong([3]), .message(.text("Grüße"))])
    }

    @Test("bytes that arrive one by one give the same messages")
    func singleBytes() {
        let bytes = serverFrame(1, Array("héllo".utf8), isFinal: false) + serverFrame(9) + serverFrame(0, [0x21])
        var assembler = MessageAssembler(maximumMessageBytes: 100)
        #expect(bytes.flatMap { assembler.receive([$0]) } == [.ping([]), .message(.text("héllo!"))])
    }

    @Test(
        "an invalid frame is a protocol error as soon as its first wrong byte arrives",
        arguments: [
            // Reserved bits, one after the other.
            [0xc1], [0xa1], [0x91],
            // Undefined opcodes.
            [0x83], [0x87], [0x8b], [0x8f],
            // A masked frame from a server.
            [0x81, 0x80],
            // Control frames that are fragmented or too long.
            [0x08], [0x09], [0x0a], [0x88, 126], [0x89, 127], [0x8a, 126],
            // A length that is negative or not in its shortest form.
            [0x82, 127, 0x80], [0x82, 126, 0, 125], [0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
            // A continuation without a message, and a new message within a message.
            [0x80, 0], [0x00, 0], [0x01, 0, 0x81, 0], [0x02, 0, 0x02, 0],
        ] as [[UInt8]])
    func protocolErrors(_ bytes: [UInt8]) {
        #expect(code(bytes) == .protocolError)
        #expect(events(Array(bytes.dropLast())).allSatisfy { if case .violation = $0 { false } else { true } })
    }

    @Test("a message above the limit is refused by its length, before its payload arrives")
    func tooBig() {
        #expect(code([0x82, 126, 0x03, 0xe8]) == nil)
        #expect(code([0x82, 126, 0x03, 0xe9]) == .messageTooBig)
        #expect(code([0x82, 127, 0x7f] + [UInt8](repeating: 0xff, count: 7)) == .messageTooBig)
        let half = serverFrame(2, [UInt8](repeating: 0, count: 600), isFinal: false)
        #expect(code(half + [0x80, 126, 0x01, 0x91]) == .messageTooBig)
        #expect(code(half + [0x80, 126, 0x01, 0x90]) == nil)
        #expect(code(half + [0x80, 127, 0x7f] + [UInt8](repeating: 0xff, count: 7)) == .messageTooBig)
    }

    @Test("text that is not UTF-8 is refused at its first wrong byte, even across frames")
    func invalidText() {
        #expect(code([0x81, 100, 0x61, 0xff]) == .invalidData)
        #expect(code(serverFrame(1, [0xc3], isFinal: false) + [0x80, 5, 0x28]) == .invalidData)
        #expect(code(serverFrame(1, [0xc3])) == .invalidData)
        #expect(code(serverFrame(1, [0xc3], isFinal: false) + serverFrame(0)) == .invalidData)
        #expect(code(serverFrame(2, [0xff])) == nil)
    }

    @Test("a close frame has no payload, or a code with an optional reason")
    func close() {
        #expect(events(serverFrame(8)) == [.close(.noStatus, reason: "")])
        #expect(events(serverFrame(8, [0x03, 0xe8])) == [.close(.normal, reason: "")])
        let payload = [0x0f, 0xa1] + Array("bye ✓".utf8)
        #expect(events(serverFrame(8, payload)) == [.close(.init(rawValue: 4001), reason: "bye ✓")])
    }

    @Test("a close frame with half a code, a forbidden code or an invalid reason is refused")
    func invalidClose() {
        #expect(code(serverFrame(8, [0x03])) == .protocolError)
        for number: UInt16 in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            #expect(code(serverFrame(8, [UInt8(number >> 8), UInt8(number & 0xff)])) == .protocolError, "\(number)")
        }
        for number: UInt16 in [1000, 1001, 1003, 1007, 1011, 1012, 1014, 3000, 4999] {
            #expect(code(serverFrame(8, [UInt8(number >> 8), UInt8(number & 0xff)])) == nil, "\(number)")
        }
        #expect(code(serverFrame(8, [0x03, 0xe8, 0xff])) == .invalidData)
        #expect(code(serverFrame(8, [0x03, 0xe8, 0xc3])) == .invalidData)
    }

    @Test("bytes after a close or a violation are ignored")
    func over() {
        #expect(events(serverFrame(8) + serverFrame(1) + [0xff]) == [.close(.noStatus, reason: "")])
        var assembler = MessageAssembler(maximumMessageBytes: 10)
        #expect(assembler.receive([0x83, 0]).count == 1)
        #expect(assembler.receive(serverFrame(1)) == [])
    }
}
