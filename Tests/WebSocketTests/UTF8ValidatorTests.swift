import Testing
import TransportPeers

@testable import PrefectWebSocket

@Suite("UTF-8 validation in pieces") struct UTF8ValidatorTests {
    /// Whether the bytes are complete text when they arrive in pieces of this size.
    private func isText(_ bytes: [UInt8], piece: Int) -> Bool {
        var validator = UTF8Validator()
        var rest = bytes[...]
        while !rest.isEmpty {
            guard validator.accepts(rest.prefix(piece)) else { return false }
            rest = rest.dropFirst(piece)
        }
        return !validator.isInsideCharacter
    }

    @Test("the validator agrees with the standard library on every first byte with up to three continuation bytes")
    func threeBytes() {
        for first: UInt8 in 0x7e...0xff {
            for second: UInt8 in [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff] {
                for third: UInt8 in [0x00, 0x7f, 0x80, 0xbf, 0xc0] {
                    for bytes in [[first], [first, second], [first, second, third], [first, second, third, 0x80]] {
                        let expected = String(validating: bytes, as: UTF8.self) != nil
                        #expect(isText(bytes, piece: 4) == expected, "\(bytes)")
                        #expect(isText(bytes, piece: 1) == expected, "\(bytes)")
                    }
                }
            }
        }
    }

    @Test("long text with characters of every length is accepted in pieces of every size")
    func long() {
        let text = Array(String(repeating: "abcdefghij ü ✓ 😀 ", count: 20).utf8)
        for piece in 1...40 {
            #expect(isText(text, piece: piece))
            #expect(!isText(text + [0xf5], piece: piece))
            #expect(!isText(Array(text.dropLast(2)), piece: piece))
        }
    }
}
