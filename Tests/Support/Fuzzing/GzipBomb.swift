/// A gzip stream of zeros that has no end: 159 times as many bytes as are sent.
public enum GzipBomb {
    /// How many zeros a byte of it stands for.
    public static let ratio = 2064 / 13

    /// How the stream begins.
    public static let beginning: [UInt8] = [0x1F, 0x8B, 0x08, 0, 0, 0, 0, 0, 0, 0x03] + Array(deflated.prefix(2))

    /// What follows again and again.
    public static let rest: [UInt8] = Array(repeatElement(deflated.dropFirst(2), count: 1000).joined())

    // A block with fixed codes: its three bits of head, a literal zero, and then the longest repetition of it, which is
    // 13 bits long, so that its bits are in the same places again after 13 bytes.
    private static let deflated: [UInt8] = {
        let bits = Array("010" + "00110000" + String(repeating: "1100010100000", count: 9))
        return (0..<15).map { byte in
            (0..<8).reduce(0) { $0 | (bits[byte * 8 + $1] == "1" ? 1 << UInt8($1) : 0) }
        }
    }()
}
