internal import Notation
internal import PrefectClient

/// Parses numbers of bytes as docker-py does: `128m`, `128 m`, `2GB`, `1.5g`, `1_000k`, `100000b`, `1e6`, and bare
/// digits for bytes. It also accepts the unit `t`.
enum ByteCount {
    /// The number of bytes; `nil` when the text cannot be parsed. An empty text is 0, which sets no limit. The text
    /// `-1` sets no limit either.
    static func parse(_ text: String) -> Int? {
        if text.isEmpty { return 0 }
        var number = text[...]
        // A unit of two letters ends in `b`, like `mb`.
        let unit = number.suffix(2)
        if unit.count == 2, unit.allSatisfy(\.isLetter), unit.last?.lowercased() == "b" { number.removeLast() }
        var factor = 1.0
        if let last = number.last, !(last.isASCII && last.isNumber) {
            guard let size = last.lowercased() == "b" ? 1 : ByteUnit.size(of: last) else { return nil }
            number.removeLast()
            factor = size
        }
        guard let value = SettingText.double(String(number)) else { return nil }
        return Int(exactly: (value * factor).rounded(.towardZero))
    }

    /// A number of bytes in a form that people read easily.
    static func text(_ bytes: Int) -> String {
        for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] where bytes >= size {
            // Ten times a number from the Engine may overflow, so the remainder is computed first.
            let rest = bytes % size
            let tenths = bytes / size * 10 + (rest * 10 + size / 2) / size
            return tenths % 10 == 0 ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
        }
        return "\(bytes) bytes"
    }
}
