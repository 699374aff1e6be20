internal import OrderedCollections
public import PrefectJSON

extension FuzzRandom {
    /// Numbers that crash a program which converts them without a check.
    private static let numbers: [JSONValue] = [
        .int(.max), .int(.min), .int(-1), .int(0), .double(1e300), .double(-1e300), .double(1e19), .double(-0.0),
        .double(0.1), .double(9.3e18), .bigInteger("99999999999999999999"), .double(.leastNonzeroMagnitude),
    ]

    /// The text of an answer like this one with a few changed values. A changed value is a number of any size, an
    /// invalid number, a value of another kind, or absent.
    public mutating func spoiled(_ answer: JSONValue) -> String {
        let mark = "\u{1}"
        var text = spoiling(answer, mark).serialized()
        for _ in 0..<2 where oneIn(4) {
            let word = pick(["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e300", "0e-999", "01", "+1"])
            text = text.replacing("\"\\u0001\"", with: word, maxReplacements: 1)
        }
        return oneIn(6) ? damaged(text) : text
    }

    private mutating func spoiling(_ value: JSONValue, _ mark: String) -> JSONValue {
        if oneIn(12) { return oneIn(3) ? .string(mark) : oneIn(2) ? pick(Self.numbers) : json(4) }
        switch value {
        case .array(let elements): return .array(elements.map { spoiling($0, mark) })
        case .object(let members):
            var spoiled: OrderedDictionary<String, JSONValue> = [:]
            for (key, member) in members where !oneIn(20) { spoiled[key] = spoiling(member, mark) }
            return .object(spoiled)
        case .int, .double, .bigInteger: return oneIn(2) ? pick(Self.numbers) : value
        default: return value
        }
    }

    /// A value of any kind; `depth` is the number of values that enclose it.
    public mutating func json(_ depth: Int = 0) -> JSONValue {
        switch below(depth > 5 ? 7 : 10) {
        case 0: return .null
        case 1: return .bool(oneIn(2))
        case 2: return .int(oneIn(3) ? Int(truncatingIfNeeded: next()) : below(200) - 100)
        case 3: return .bigInteger((oneIn(2) ? "-" : "") + "9223372036854775809" + String(next()))
        case 4:
            let any = Double(bitPattern: next())
            return .double(any.isFinite ? any : 1.5)
        case 5, 6: return .string(text(of: Self.trouble + ["a", "b c"], upTo: 6))
        case 7, 8: return .array((0..<below(5)).map { _ in json(depth + 1) })
        default:
            var members: OrderedDictionary<String, JSONValue> = [:]
            for _ in 0..<below(5) { members[text(of: Self.trouble + ["a", "b"], upTo: 2)] = json(depth + 1) }
            return .object(members)
        }
    }
}
