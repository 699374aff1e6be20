import Notation
import Testing

@Suite("Notations of values")
struct NotationTests {
    @Test("hexadecimal digits are padded to the width and never cut")
    func hexadecimalDigits() {
        #expect(hexadecimal(0 as UInt8, width: 2) == "00")
        #expect(hexadecimal(0xA as UInt32, width: 4) == "000a")
        #expect(hexadecimal(0x1F600 as UInt32, width: 4) == "1f600")
        #expect(hexadecimal([0, 255, 16]) == "00ff10")
    }

    @Test("a UUID has its version and variant, and missing bytes are zero")
    func uuids() {
        #expect(uuidText(0...255, version: 7) == "00010203-0405-7607-8809-0a0b0c0d0e0f")
        #expect(uuidText(Array(repeating: 255, count: 20), version: 5) == "ffffffff-ffff-5fff-bfff-ffffffffffff")
        #expect(uuidText([], version: 4) == "00000000-0000-4000-8000-000000000000")
    }

    @Test("the units of bytes have the base 1024")
    func bytes() {
        #expect("kMgT".map { ByteUnit.size(of: $0) } == [1024, 1024 * 1024, 1_073_741_824, 1_099_511_627_776])
        #expect(ByteUnit.size(of: "b") == nil && ByteUnit.size(of: "P") == nil)
    }
}
