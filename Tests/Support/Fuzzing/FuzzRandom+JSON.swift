public import JSON
internal import OrderedCollections

extension FuzzRandom {
    /// A value of any kind; `depth` says how deep it stands already.
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
