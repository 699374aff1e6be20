internal import BackendKit
internal import Notation
internal import PrefectJSON

/// Reads the values of job variables in the notations of `systemd.resource-control(5)`. Absent, null and empty values
/// are `nil`. An invalid value is refused with the variable's name.
struct ValueReader: Sendable {
    let rendered: JSONValue

    /// Reads a number of bytes, with an optional unit K, M, G or T to the base 1024.
    func bytes(_ field: String) throws(InfrastructureError) -> UInt64? {
        let expected = "a number of bytes, perhaps with a unit, like 512M or 2G"
        guard let text = try text(field, expected) else { return nil }
        var number = text[...]
        var factor = 1.0
        if let size = number.last.flatMap(ByteUnit.size(of:)) {
            number.removeLast()
            factor = size
        }
        guard let value = Self.decimal(number), let bytes = UInt64(exactly: (value * factor).rounded(.down)), bytes > 0
        else { throw Self.bad(field, text, expected) }
        return bytes
    }

    /// Reads CPU time in microseconds per second, from a number of CPUs or a percentage of one CPU.
    func cpus(_ field: String) throws(InfrastructureError) -> UInt64? {
        let expected = "a number of CPUs like 1.5, or a percentage of one like 150%"
        guard let text = try text(field, expected) else { return nil }
        let isPercentage = text.last == "%"
        guard let value = Self.decimal(isPercentage ? text.dropLast() : text[...]), value > 0, value < 1_000_000,
            case let time = value * (isPercentage ? 10_000 : 1_000_000), time >= 1
        else { throw Self.bad(field, text, expected) }
        return UInt64(time)
    }

    /// Reads a whole number in a range.
    func whole(_ field: String, _ range: ClosedRange<Int>) throws(InfrastructureError) -> UInt64? {
        let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard let text = try text(field, expected) else { return nil }
        guard let value = Int(text), range.contains(value) else { throw Self.bad(field, text, expected) }
        return UInt64(value)
    }

    /// Reads seconds; returns microseconds.
    func microseconds(_ field: String) throws(InfrastructureError) -> UInt64? {
        let expected = "a number of seconds above 0"
        guard let text = try text(field, expected) else { return nil }
        guard let value = Self.decimal(text[...]), value > 0, value < 1e9 else { throw Self.bad(field, text, expected) }
        return UInt64(max(1, value * 1_000_000))
    }

    /// Reads one of some words. The values true and false stand for yes and no.
    func choice(_ field: String, _ words: [String]) throws(InfrastructureError) -> String? {
        let expected = "one of \(words.joined(separator: ", "))"
        if let isOn = rendered[field]?.boolValue { return isOn ? "yes" : "no" }
        guard let text = try text(field, expected) else { return nil }
        let word = ["true": "yes", "false": "no"][text] ?? text
        guard words.contains(word) else { throw Self.bad(field, text, expected) }
        return word
    }

    /// The text of microseconds as seconds, for messages.
    static func seconds(_ microseconds: UInt64) -> String {
        microseconds % 1_000_000 == 0 ? "\(microseconds / 1_000_000)" : "\(Double(microseconds) / 1_000_000)"
    }

    /// The error for an invalid value.
    static func bad(_ field: String, _ value: String, _ expected: String) -> InfrastructureError {
        InfrastructureError(
            .refused, "The job variable '\(field)' is '\(value.prefix(100))'; it should be \(expected)")
    }

    private func text(_ field: String, _ expected: String) throws(InfrastructureError) -> String? {
        switch rendered[field] {
        case nil, .null?: return nil
        case .string(let text)?: return text.isEmpty ? nil : text
        case .int(let number)?: return "\(number)"
        case .double(let number)?: return "\(number)"
        case .some(let value): throw RenderedFields(rendered).mismatch(field, expected, value)
        }
    }

    private static func decimal(_ text: Substring) -> Double? {
        guard let first = text.utf8.first, first >= UInt8(ascii: "0"), first <= UInt8(ascii: "9") else { return nil }
        guard text.utf8.allSatisfy({ ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9")) || $0 == UInt8(ascii: ".") })
        else { return nil }
        return Double(text)
    }
}
