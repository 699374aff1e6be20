import Testing
import TransportPeers

@testable import PrefectWebSocket

@Suite("Random WebSocket frames") struct FrameFuzzTests {
    /// SplitMix64: the same numbers for the same seed.
    private struct Seeded: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
            return mixed ^ mixed >> 31
        }
    }

    private func receive(
        _ bytes: [UInt8], limit: Int, using generator: inout Seeded
    ) -> [MessageAssembler.Event] {
        var assembler = MessageAssembler(maximumMessageBytes: limit)
        var events: [MessageAssembler.Event] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let size = Int.random(in: 1...(Bool.random(using: &generator) ? 3 : 300), using: &generator)
            events += assembler.receive(rest.prefix(size))
            rest = rest.dropFirst(size)
        }
        return events
    }

    @Test("the messages are the same for any division of the bytes", arguments: UInt64(0)..<30)
    func splits(_ seed: UInt64) {
        var generator = Seeded(state: seed)
        var bytes: [UInt8] = []
        var expected: [MessageAssembler.Event] = []
        for _ in 0..<30 {
            let length = [0, 5, 125, 126, 700].randomElement(using: &generator) ?? 0
            let isText = Bool.random(using: &generator)
            let characters = (0..<length).map { _ in "aü✓😀".randomElement(using: &generator) ?? "a" }
            let text = String(characters)
            let content =
                isText
                ? Array(text.utf8) : (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
            var rest = content[...]
            var opcode: UInt8 = isText ? 1 : 2
            while Bool.random(using: &generator) {
                let piece = rest.prefix(Int.random(in: 0...200, using: &generator))
                rest = rest.dropFirst(piece.count)
                bytes += serverFrame(opcode, Array(piece), isFinal: false)
                opcode = 0
                if Bool.random(using: &generator) {
                    let payload = [UInt8](repeating: 7, count: Int.random(in: 0...125, using: &generator))
                    bytes += serverFrame(9, payload)
                    expected.append(.ping(payload))
                }
            }
            bytes += serverFrame(opcode, Array(rest))
            expected.append(.message(isText ? .text(text) : .binary(content)))
        }
        bytes += serverFrame(8, [0x03, 0xe8])
        expected.append(.close(.normal, reason: ""))
        #expect(receive(bytes, limit: 1 << 20, using: &generator) == expected)
    }

    @Test("random bytes give the same events for any division, and nothing after a close or a violation")
    func noise() {
        var generator = Seeded(state: 4711)
        for _ in 0..<3000 {
            var bytes = (0..<Int.random(in: 1...64, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            // Without reserved bits and a mask, the bytes get further into the parser than pure noise does.
            if Bool.random(using: &generator) { bytes[0] &= 0x8f }
            if bytes.count > 1, Bool.random(using: &generator) { bytes[1] &= 0x7f }
            var assembler = MessageAssembler(maximumMessageBytes: 50)
            let whole = assembler.receive(bytes)
            #expect(receive(bytes, limit: 50, using: &generator) == whole, "\(bytes)")
            for event in whole.dropLast() {
                switch event {
                case .close, .violation: Issue.record("something follows the end: \(bytes)")
                case .message, .ping, .pong: break
                }
            }
        }
    }

    @Test("a valid stream with one flipped bit causes no crash and at most five events", arguments: UInt64(0)..<200)
    func mutations(_ seed: UInt64) {
        var generator = Seeded(state: seed)
        var bytes =
            serverFrame(1, Array("some text".utf8), isFinal: false) + serverFrame(9, [1]) + serverFrame(0, [0x20])
            + serverFrame(2, [UInt8](repeating: 3, count: 200)) + serverFrame(8, [0x03, 0xe8])
        let place = Int.random(in: bytes.indices, using: &generator)
        bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        let events = receive(bytes, limit: 300, using: &generator)
        #expect(events.count <= 5)
    }
}
