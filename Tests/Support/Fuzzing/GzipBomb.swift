/// An endless gzip stream of zeros, which expands to 159 times its size.
public enum GzipBomb {
    /// The number of zeros per byte of the stream.
    public static let ratio = 2064 / 13

    /// The beginning of the stream.
    public static let beginning: [UInt8] = [0x1F, 0x8B, 0x08, 0, 0, 0, 0, 0, 0, 0x03] + Array(deflated.prefix(2))

    /// The part that repeats after the beginning.
    public static let rest: [UInt8] = Array(repeatElement(deflated.dropFirst(2), count: 1000).joined())

    // A block with fixed codes: its header of three bits, a literal zero, and then the longest repetition of it. The
    // repetition is 13 bits long, so that its bits are at the same positions again after 13 bytes.
    private static let deflated: [UInt8] = {
        let bits = Array("010" + "00110000" + String(repeating: "1100010100000", count: 9))
        return (0..<15).map { byte in
            (0..<8).reduce(0) { $0 | (bits[byte * 8 + $1] == "1" ? 1 << UInt8($1) : 0) }
        }
    }()
}
