import Testing
import TransportPeers

@testable import PrefectWebSocket

@Suite("Order of outgoing frames") struct OutboxTests {
    private struct Fixed: RandomNumberGenerator {
        mutating func next() -> UInt64 { 0x0102_0304_0506_0708 }
    }

    private func drain(_ outbox: inout Outbox, _ count: Int = .max) -> [(frame: ClientFrame?, finishes: UInt64?)] {
        var generator = Fixed()
        var frames: [(ClientFrame?, UInt64?)] = []
        while frames.count < count, let written = outbox.next(using: &generator) {
            frames.append((ClientFrame.parse(written.bytes)?.frame, written.finishes))
        }
        return frames
    }

    @Test("messages are written in order, and the last frame of each has its ticket")
    func order() {
        var outbox = Outbox()
        outbox.add(.text("one"), ticket: 1)
        outbox.add(.binary([]), ticket: 2)
        let frames = drain(&outbox)
        #expect(frames.map(\.frame) == [.init(opcode: 1, payload: Array("one".utf8)), .init(opcode: 2, payload: [])])
        #expect(frames.map(\.finishes) == [1, 2])
        #expect(outbox.isEmpty)
    }

    @Test("a large message is split into frames, and control frames are written in between")
    func fragments() {
        let payload = (0..<150_000).map { UInt8(truncatingIfNeeded: $0) }
        var outbox = Outbox()
        outbox.add(.binary(payload), ticket: 1)
        let first = drain(&outbox, 1)
        #expect(first[0].frame?.opcode == 2)
        #expect(first[0].frame?.isFinal == false)
        #expect(first[0].finishes == nil)
        outbox.addPing([1])
        let rest = drain(&outbox)
        #expect(rest.map(\.frame?.opcode) == [9, 0, 0])
        #expect(rest.map(\.frame?.isFinal) == [true, false, true])
        #expect(rest.map(\.finishes) == [nil, nil, 1])
        let pieces = (first + rest).compactMap(\.frame).filter { $0.opcode != 9 }.map(\.payload)
        #expect(Array(pieces.joined()) == payload)
        #expect(pieces.allSatisfy { $0.count <= Outbox.largestPayload })
    }

    @Test("a message can be withdrawn until its first frame is written")
    func withdraw() {
        var outbox = Outbox()
        outbox.add(.binary([UInt8](repeating: 1, count: 100_000)), ticket: 1)
        outbox.add(.text("two"), ticket: 2)
        _ = drain(&outbox, 1)
        outbox.withdraw(1)
        outbox.withdraw(2)
        #expect(drain(&outbox).map(\.finishes) == [1])
    }

    @Test("only the latest of several pending pings is answered")
    func pongs() {
        var outbox = Outbox()
        for number: UInt8 in 0..<100 { outbox.addPong([number]) }
        #expect(drain(&outbox).map(\.frame) == [.init(opcode: 10, payload: [99])])
    }

    @Test("nothing is written after the close frame")
    func close() {
        var outbox = Outbox()
        outbox.add(.text("never"), ticket: 1)
        outbox.addPong([1])
        outbox.close([3, 232])
        outbox.add(.text("never"), ticket: 2)
        outbox.addPing([2])
        outbox.close([3, 233])
        #expect(drain(&outbox).map(\.frame) == [.init(opcode: 10, payload: [1]), .init(opcode: 8, payload: [3, 232])])
    }

    @Test("frames have different masks")
    func masks() {
        var outbox = Outbox()
        var generator = SystemRandomNumberGenerator()
        var masks: Set<[UInt8]> = []
        for ticket: UInt64 in 0..<100 {
            outbox.add(.text("x"), ticket: ticket)
            masks.insert((outbox.next(using: &generator)?.bytes).flatMap { ClientFrame.parse($0)?.frame.mask } ?? [])
        }
        #expect(masks.count > 95)
    }
}
