import Testing
import TransportPeers

@testable import PrefectWebSocket

@Suite("Client frames") struct FrameTests {
    @Test(
        "a frame has its length in the shortest form, a mask and the masked payload",
        arguments: [0, 1, 7, 8, 125, 126, 1000, 65535, 65536, 100_001])
    func encoded(_ length: Int) throws {
        let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let bytes = Frame.encoded(.binary, payload: payload, mask: 0x1234_5678)
        let width = length < 126 ? 0 : length < 65536 ? 2 : 8
        #expect(bytes.count == 6 + width + length)
        let (frame, rest) = try #require(ClientFrame.parse(bytes))
        #expect(frame == ClientFrame(opcode: 2, payload: payload))
        #expect(rest.isEmpty)
        #expect(frame.mask.sorted() == [0x12, 0x34, 0x56, 0x78])
    }

    @Test("the example of RFC 6455 is encoded byte for byte")
    func example() {
        let mask = [0x37, 0xfa, 0x21, 0x3d].withUnsafeBytesOfMask()
        let bytes = Frame.encoded(.text, payload: Array("Hello".utf8), mask: mask)
        #expect(bytes == [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58])
    }

    @Test("a close reason that is too long is cut at a character boundary")
    func closeReason() {
        #expect(Frame.closePayload(.normal, reason: "bye") == [0x03, 0xe8] + Array("bye".utf8))
        let long = Frame.closePayload(.goingAway, reason: String(repeating: "ü", count: 100))
        #expect(long == [0x03, 0xe9] + Array(String(repeating: "ü", count: 61).utf8))
    }
}

extension [Int] {
    fileprivate func withUnsafeBytesOfMask() -> UInt32 {
        map { UInt8($0) }.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
    }
}
