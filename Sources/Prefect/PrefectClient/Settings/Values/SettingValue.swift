package import OrderedCollections
internal import PrefectJSON

/// The parsed value of a setting.
///
/// Its printed form never contains a secret. It masks secrets, and the values of string maps, which may be credentials.
package enum SettingValue: Sendable, Hashable {
    /// A switch.
    case bool(Bool)
    /// A whole number.
    case int(Int)
    /// A number, which need not be finite.
    case float(Double)
    /// A text, a path, a level or a choice.
    case string(String)
    /// A text that is never shown.
    case secret(Secret)
    /// A time span.
    case duration(Duration)
    /// HTTP status codes.
    case statusCodes(Set<Int>)
    /// Words or numbers, sorted as text.
    case list([String])
    /// Names and texts.
    case stringMap(OrderedDictionary<String, String>)
    /// Names and time spans.
    case durationMap(OrderedDictionary<String, Duration>)
}

extension SettingValue {
    /// The value as Prefect writes it into an environment variable, with secrets not masked. `nil` for numbers that are
    /// not finite, which Prefect does not write.
    var environmentText: String? {
        switch self {
        case .bool(let value): value ? "True" : "False"
        case .int(let value): String(value)
        case .float(let value): value.isFinite ? value.pythonDescription : nil
        case .string(let value): value
        case .secret(let value): value.reveal()
        case .duration(let value): value.iso8601
        case .statusCodes(let codes): codes.sorted().map(String.init).joined(separator: ",")
        case .list(let items): items.joined(separator: ",")
        case .stringMap(let members): JSONValue(members.lazy.map { (key: $0.key, value: $0.value) }).serialized(.python)
        case .durationMap(let members):
            JSONValue(members.lazy.map { (key: $0.key, value: $0.value.iso8601) }).serialized(.python)
        }
    }
}

extension SettingValue: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The value as in the environment, with possible credentials masked.
    package var description: String {
        switch self {
        case .secret(let value): value.description
        case .stringMap(let members): "{" + members.keys.map { "\($0): \(Secret.mask)" }.joined(separator: ", ") + "}"
        case .string(let value): value.maskingURLPassword
        case .float(let value): value.pythonDescription
        default: environmentText ?? ""
        }
    }

    /// The same as ``description``.
    package var debugDescription: String { description }
    /// A mirror without children, so that `dump` shows ``description``.
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension String {
    /// The password between the user's name and the host of a URL: `pw` in `https://me:pw@host/`.
    var urlPassword: Substring? {
        guard let scheme = firstRange(of: "://") else { return nil }
        let authority = self[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard let at = authority.lastIndex(of: "@"), let colon = authority[..<at].firstIndex(of: ":") else {
            return nil
        }
        let password = authority[authority.index(after: colon)..<at]
        return password.isEmpty ? nil : password
    }

    /// The text with its password masked, if it is a URL with a password.
    package var maskingURLPassword: String {
        guard let password = urlPassword else { return self }
        return replacingCharacters(password.startIndex..<password.endIndex, with: Secret.mask)
    }

    private func firstRange(of needle: String) -> Range<Index>? { ranges(of: needle).first }

    private func replacingCharacters(_ range: Range<Index>, with text: String) -> String {
        String(self[..<range.lowerBound]) + text + String(self[range.upperBound...])
    }
}
