import OrderedCollections
import PrefectJSON
import PrefectTOML
import TestSupport
import Testing

@Suite("Fuzzed TOML", .timeLimit(.minutes(Fuzz.minutes)))
struct TOMLFuzzTests {
    private static let pieces = [
        "a", "b.c", "'d'", "\"e\"", "1", "0x", "_", ".", ",", "=", " = ", "[", "]", "[[", "]]", "{", "}", "'", "\"",
        "'''",
        "\"\"\"", "\\", "\\u00", "\\\n", "#", "\n", "\r\n", "\r", " ", "\t", "+", "-", "e", "T", "Z", ":", "é",
        "\u{FEFF}",
        "1979-05-27", "07:32:00", ".5", "+01:00", "inf", "true", "a = 1\n", "[a]\n", "[[a]]\n", "[a.b]\n", "a.b = 1\n",
        "x = {a = 1, b.c = [1, 2]}\n", "s = \"\"\"\na\\\n b\"\"\"\n", "t = 1979-05-27 07:32:00Z\n",
        "n = [1_0, 0xF, 1e5]\n",
        "1979-05-2= 5", "[=x]", "[1, }", "1979-05-27Tx", "1979-05-27 5",
    ]

    /// The value as TOML on one line.
    private static func toml(_ value: JSONValue) -> String {
        switch value {
        case .null: "'null'"
        case .bool(let value): value ? "true" : "false"
        case .int(let value): String(value)
        case .bigInteger(let digits): "'\(digits)'"
        case .double(let value): value.isNaN ? "nan" : "\(value)"
        case .string(let text): quoted(text)
        case .array(let elements): "[\(elements.map(toml).joined(separator: ", "))]"
        case .object(let members): "{\(pairs(members).joined(separator: ", "))}"
        }
    }

    private static func pairs(_ members: OrderedDictionary<String, JSONValue>) -> [String] {
        members.map { "\(quoted($0.key)) = \(toml($0.value))" }
    }

    private static func quoted(_ text: String) -> String {
        let escaped = text.unicodeScalars.map { scalar in
            if scalar == "\"" || scalar == "\\" { return "\\\(scalar)" }
            if scalar.value >= 0x20, scalar.value != 0x7F { return String(scalar) }
            return "\\U" + String(UInt64(scalar.value) + 0x1_0000_0000, radix: 16).dropFirst()
        }
        return "\"\(escaped.joined())\""
    }

    private static func document(_ members: OrderedDictionary<String, JSONValue>) -> String {
        pairs(members).joined(separator: "\n")
    }

    @Test("any bytes give a table that reads back the same, or an error with its position")
    func anything() async throws {
        try await Fuzz.run(mostCases: 12_000) { random in
            let text = random.oneIn(3) ? random.text(of: Self.pieces, upTo: 12) : Self.document(["a": random.json()])
            let bytes =
                random.oneIn(8)
                ? random.bytes(upTo: 40) : random.oneIn(3) ? Array(text.utf8) : random.damaged(Array(text.utf8))
            do {
                let text = Self.document(try TOMLReader.table(in: bytes))
                let again = Self.document(try TOMLReader.table(in: Array(text.utf8)))
                try Fuzz.require(text == again, "\(bytes) is not the same the second time")
            } catch let error as TOMLError {
                let lines = bytes.count { $0 == UInt8(ascii: "\n") } + 1
                try Fuzz.require((1...lines).contains(error.line), "\(error) is nowhere in \(bytes)")
                try Fuzz.require((1...bytes.count + 1).contains(error.column), "\(error) is nowhere in \(bytes)")
            }
        }
    }

    @Test("values of any kind read back the same")
    func roundTrip() async throws {
        try await Fuzz.run(mostCases: 4000) { random in
            let text = Self.document(["a": random.json(), "b": random.json()])
            let read = Self.document(try TOMLReader.table(in: Array(text.utf8)))
            // The reader sorts keys, so the second reading has the same order.
            let again = Self.document(try TOMLReader.table(in: Array(read.utf8)))
            try Fuzz.require(read == again && read.utf8.count == text.utf8.count, "\(text) is \(read)")
        }
    }

    @Test("long text of any pattern ends neither the process nor its stack, and takes little time")
    func long() async throws {
        try await Fuzz.run(mostCases: 120) { random in
            let unit = random.text(of: Self.pieces, upTo: 3)
            let text =
                random.text(of: Self.pieces, upTo: 4) + String(repeating: unit, count: 60_000 / max(1, unit.utf8.count))
            let start = ContinuousClock.now
            _ = try? TOMLReader.table(in: Array((text + random.text(of: Self.pieces, upTo: 2)).utf8))
            try Fuzz.require(start.duration(to: .now) < .seconds(20), "it takes long: \(unit)")
        }
    }
}
