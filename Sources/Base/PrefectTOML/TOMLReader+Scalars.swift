internal import PrefectJSON

extension TOMLReader {
    /// Reads a value without quotes and brackets.
    mutating func readScalar() throws(TOMLError) -> JSONValue {
        let start = position
        let word = readWord()
        guard let first = word.first, first != UInt8(ascii: "=") else {
            throw failure("a value is expected", at: start)
        }
        let text = String(decoding: word, as: UTF8.self)
        switch text {
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "inf", "+inf": return .double(.infinity)
        case "-inf": return .double(-.infinity)
        case "nan", "+nan", "-nan": return .double(.nan)
        default: break
        }
        if let date = try readDate(beginning: word, at: start) { return .string(date) }
        guard let number = Number(word) else { throw refusal(of: word, at: start) }
        switch number {
        case .integer(let digits, let radix):
            guard let value = Int(digits, radix: radix) else {
                throw failure("an integer is outside the range of 64 bits", at: start)
            }
            return .int(value)
        case .float(let text):
            guard let value = Double(text) else { throw refusal(of: word, at: start) }
            return .double(value)
        }
    }

    /// Consumes the bytes up to one that ends a value.
    mutating func readWord() -> ArraySlice<UInt8> {
        let start = position
        while let byte = next, !" \t\r\n,]}#".utf8.contains(byte) { position += 1 }
        return bytes[start..<position]
    }

    /// The error for a word that is no value.
    func refusal(of word: ArraySlice<UInt8>, at start: Int) -> TOMLError {
        guard let place = word.firstIndex(where: { $0 >= 0x80 || "'\"=[{".utf8.contains($0) }) else {
            return failure("the value is not a number, a date, true or false, and a text needs quotes", at: start)
        }
        switch word[place] {
        case 0x80...: return failure(Self.needsQuotes, at: place)
        case UInt8(ascii: "'"), UInt8(ascii: "\""): return failure("a quote cannot be within a value", at: place)
        default: return failure("a number or a date ends before '=' or a bracket", at: start)
        }
    }

    static func isDigit(_ byte: UInt8, radix: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") < radix
        case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"): radix == 16
        default: false
        }
    }
}

extension TOMLReader {
    /// The parts of a number without its underscores.
    private enum Number {
        case integer(digits: String, radix: Int)
        case float(String)

        /// Returns `nil` for a word that is not a number.
        init?(_ word: ArraySlice<UInt8>) {
            for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where word.starts(with: prefix.utf8) {
                var scan = Scan(rest: word.dropFirst(2))
                guard scan.digits(radix: UInt8(radix)), scan.rest.isEmpty else { return nil }
                self = .integer(digits: scan.text, radix: radix)
                return
            }
            var scan = Scan(rest: word)
            scan.sign()
            let first = scan.rest.first
            let before = scan.rest.count
            guard scan.digits(), first != UInt8(ascii: "0") || before - scan.rest.count == 1 else { return nil }
            if scan.rest.isEmpty {
                self = .integer(digits: scan.text, radix: 10)
                return
            }
            if scan.take(".") {
                guard scan.digits() else { return nil }
            }
            if scan.take("eE") {
                scan.sign()
                guard scan.digits() else { return nil }
            }
            guard scan.rest.isEmpty else { return nil }
            self = .float(scan.text)
        }
    }

    /// A scan of a number that collects the text without underscores.
    private struct Scan {
        var rest: ArraySlice<UInt8>
        private var taken: [UInt8] = []

        init(rest: ArraySlice<UInt8>) { self.rest = rest }

        var text: String { String(decoding: taken, as: UTF8.self) }

        mutating func take(_ any: StaticString) -> Bool {
            guard let byte = rest.first, any.withUTF8Buffer({ $0.contains(byte) }) else { return false }
            taken.append(rest.removeFirst())
            return true
        }

        mutating func sign() { _ = take("+-") }

        /// Takes at least one digit. An underscore must be between digits.
        mutating func digits(radix: UInt8 = 10) -> Bool {
            while true {
                guard let byte = rest.first, TOMLReader.isDigit(byte, radix: radix) else { return false }
                let run = rest.prefix { TOMLReader.isDigit($0, radix: radix) }
                taken.append(contentsOf: run)
                rest = rest[run.endIndex...]
                guard rest.first == UInt8(ascii: "_") else { return true }
                rest = rest.dropFirst()
            }
        }
    }
}
