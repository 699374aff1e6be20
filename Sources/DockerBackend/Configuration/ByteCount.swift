/// A number of bytes as Docker's tools write it: `128m`, `1.5g`, `100000b`, `1k`, bare digits for bytes.
enum ByteCount {
    /// The number; `nil` for anything else. `-1`, which lifts a limit, is one.
    static func parse(_ text: String) -> Int? {
        if text == "-1" { return -1 }
        var number = text.lowercased()[...]
        if number.last == "b" { number.removeLast() }
        var factor = 1.0
        if let unit = number.last, let power = ["k", "m", "g", "t"].firstIndex(of: String(unit)) {
            number.removeLast()
            for _ in 0...power { factor *= 1024 }
        }
        guard let first = number.first, first.isASCII, first.isNumber,
            number.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }), let value = Double(number)
        else { return nil }
        return Int(exactly: (value * factor).rounded(.down))
    }

    /// A number of bytes for people.
    static func text(_ bytes: Int) -> String {
        for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] where bytes >= size {
            let tenths = (bytes * 10 + size / 2) / size
            return tenths % 10 == 0 ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
        }
        return "\(bytes) bytes"
    }
}
