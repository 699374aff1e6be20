/// Random numbers that are the same for the same seed (SplitMix64).
public struct FuzzRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Numbers from a seed.
    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number from zero up to, but not including, a bound.
    public mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<max(1, bound), using: &self) }

    /// Returns `true` once in `count` times on average.
    public mutating func oneIn(_ count: Int) -> Bool { below(count) == 0 }

    /// A random element.
    public mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

    /// A sequence of at most `count` random pieces.
    public mutating func text(of pieces: [String], upTo count: Int) -> String {
        (0..<below(count + 1)).map { _ in pick(pieces) }.joined()
    }

    /// Any bytes.
    public mutating func bytes(upTo count: Int) -> [UInt8] {
        (0..<below(count + 1)).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    /// The bytes with a few of them changed, removed, repeated or cut off.
    public mutating func damaged(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0...below(3) where !bytes.isEmpty {
            let place = below(bytes.count)
            switch below(6) {
            case 0: bytes.removeSubrange(place...)
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 1 + below(12))], at: place)
            case 3: bytes[place] = UInt8(truncatingIfNeeded: next())
            case 4: bytes[place] ^= 1 << UInt8(below(8))
            default: bytes.insert(contentsOf: Array(pick(Self.trouble).utf8), at: place)
            }
        }
        return bytes
    }

    /// The text with a few of its bytes damaged; invalid UTF-8 is replaced.
    public mutating func damaged(_ text: String) -> String {
        String(decoding: damaged(Array(text.utf8)), as: UTF8.self)
    }

    /// Pieces of text that have caused failures of programs before.
    public static let trouble = [
        "", "\0", "\n", "\r\n", "\t", "\u{7F}", "\u{85}", "\u{2028}", "\u{FEFF}", "\u{FFFD}", "e\u{301}", "é", "北", "😀",
        "👩‍👩‍👧", "٣", "ﷺ", "'", "\"", "\"\"\"", "\\", "\\u0000", "\\uD83D", "%", "%%", "%00", "$", "${", "{{", "}}", "{",
        "}",
        "[", "]", "[[", "<", ">", "/", "//", "../", "~", ":", ";", ",", "#", "=", "==", "-", "--", "+", "-0", "0", "00",
        "0x10", "1e999", "-1e-999", "1_0", ".", "..", "NaN", "inf", "-Infinity", "true", "null", "none",
        "9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551616",
        "99999999999999999999999999999999", "2147483648", "1.7976931348623157e309",
    ]
}
