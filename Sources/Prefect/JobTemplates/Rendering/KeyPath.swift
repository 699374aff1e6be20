internal import OrderedCollections
internal import PrefectJSON

/// A path like `volumes[0].name` into a JSON value, with the rules of Prefect's placeholders.
enum KeyPath {
    /// The parts of a path. Brackets count as dots, so `a[0].b` and `a.0.b` have the same parts, but `a.[0]b` has
    /// others.
    static func parts(of path: some StringProtocol) -> [String] {
        var parts: [String] = []
        var part = String.UnicodeScalarView()
        for scalar in path.unicodeScalars {
            switch scalar {
            case ".", "[":
                parts.append(String(part))
                part = String.UnicodeScalarView()
            case "]": continue
            default: part.append(scalar)
            }
        }
        parts.append(String(part))
        return parts
    }

    /// The value at a path; `nil` when there is none.
    ///
    /// A part that reads as an integer is an index into an array or the characters of a string, never a key of an
    /// object. A negative index counts from the end.
    static func value(at path: some StringProtocol, in root: JSONValue) -> JSONValue? {
        var value = root
        for part in parts(of: path) {
            guard let next = child(part, of: value) else { return nil }
            value = next
        }
        return value
    }

    private static func child(_ part: String, of value: JSONValue) -> JSONValue? {
        switch (value, PythonInteger(part)) {
        case (.object(let members), nil):
            return members[part]
        case (.array(let elements), .some(let integer)):
            return integer.offset(count: elements.count).map { elements[$0] }
        case (.string(let text), .some(let integer)):
            let scalars = text.unicodeScalars
            return integer.offset(count: scalars.count).map { offset in
                .string(String(scalars[scalars.index(scalars.startIndex, offsetBy: offset)]))
            }
        default:
            return nil
        }
    }
}

extension OrderedDictionary<String, JSONValue> {
    /// Sets the value at a path and creates missing objects along it. Returns false when an existing part is not an
    /// object.
    mutating func set(_ value: JSONValue, at parts: ArraySlice<String>) -> Bool {
        guard let key = parts.first else { return false }
        let rest = parts.dropFirst()
        if rest.isEmpty {
            self[key] = value
            return true
        }
        guard case .object(var inner) = self[key] ?? .object([:]) else { return false }
        // The member is emptied first, so that the members are not copied while they are changed.
        self[key] = .null
        defer { self[key] = .object(inner) }
        return inner.set(value, at: rest)
    }

    /// These members overridden by the other's. Where both members are objects, they are merged member by member.
    func deepMerging(_ other: OrderedDictionary<String, JSONValue>) -> OrderedDictionary<String, JSONValue> {
        merging(other) { mine, theirs in
            guard case .object(let inner) = mine, case .object(let outer) = theirs else { return theirs }
            return .object(inner.deepMerging(outer))
        }
    }
}

/// An integer as Python's `int()` reads it from text.
struct PythonInteger {
    /// The integer; `nil` when it is too large for an index.
    private let value: Int?

    /// Returns `nil` unless the text is an integer: digits of any script, single underscores between them, an optional
    /// sign.
    init?(_ text: String) {
        var scalars = text.unicodeScalars[...]
        let negative = scalars.first == "-"
        if negative || scalars.first == "+" { scalars.removeFirst() }
        var magnitude: Int? = 0
        var digits = 0
        var afterDigit = false
        for scalar in scalars {
            if scalar == "_" {
                guard afterDigit else { return nil }
                afterDigit = false
                continue
            }
            guard scalar.properties.numericType == .decimal, let digit = scalar.properties.numericValue else {
                return nil
            }
            afterDigit = true
            digits += 1
            magnitude = magnitude.flatMap { value in
                let (product, overflow) = value.multipliedReportingOverflow(by: 10)
                let (sum, carry) = product.addingReportingOverflow(Int(digit))
                return overflow || carry ? nil : sum
            }
        }
        // Python reads at most this many digits.
        guard afterDigit, digits <= 4300 else { return nil }
        value = magnitude.map { negative ? -$0 : $0 }
    }

    /// The offset of the index, counted from the end if negative; `nil` when it is out of range.
    func offset(count: Int) -> Int? {
        guard let value else { return nil }
        let offset = value < 0 ? count + value : value
        return (0..<count).contains(offset) ? offset : nil
    }
}
