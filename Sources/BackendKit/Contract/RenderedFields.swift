internal import PrefectClient
public import PrefectJSON

/// A backend's own fields of a rendered job configuration, in the types and spellings that Prefect accepts.
///
/// Every method throws ``InfrastructureError`` of the kind `refused`, which names the field and never its value.
public struct RenderedFields: Sendable {
    private let rendered: JSONValue

    /// The fields of a rendered job configuration.
    public init(_ rendered: JSONValue) { self.rendered = rendered }

    /// A field that is true or false, in any accepted spelling; the default when the field is absent.
    public func boolean(_ field: String, default fallback: Bool) throws(InfrastructureError) -> Bool {
        guard let value = rendered[field] else { return fallback }
        guard let boolean = value.spelledBoolean else { throw mismatch(field, "true or false", value) }
        return boolean
    }

    /// A text; `nil` when the field is absent or null. `expected` describes the expected value in words.
    public func text(_ field: String, expected: String = "a string") throws(InfrastructureError) -> String? {
        switch rendered[field] {
        case nil, .null?: return nil
        case .string(let text)?: return text
        case .some(let value): throw mismatch(field, expected, value)
        }
    }

    /// A list of texts; empty when the field is absent.
    public func texts(_ field: String) throws(InfrastructureError) -> [String] {
        guard let value = rendered[field] else { return [] }
        guard let elements = value.arrayValue else { throw mismatch(field, "a list of strings", value) }
        var texts: [String] = []
        for element in elements {
            guard case .string(let text) = element else { throw mismatch(field, "a list of strings", element) }
            texts.append(text)
        }
        return texts
    }

    /// An object; `nil` when the field is absent or null.
    public func object(_ field: String) throws(InfrastructureError) -> JSONValue? {
        switch rendered[field] {
        case nil, .null?: return nil
        case .object(let members)?: return .object(members)
        case .some(let value): throw mismatch(field, "an object", value)
        }
    }

    /// The error for a field of a wrong type.
    public func mismatch(_ field: String, _ expected: String, _ value: JSONValue) -> InfrastructureError {
        InfrastructureError(
            .refused,
            "The job variable '\(field)' should be \(expected) but its type is \(value.typeName); correct it or leave it out"
        )
    }
}

extension JSONValue {
    /// A boolean in the spellings that Prefect accepts.
    fileprivate var spelledBoolean: Bool? {
        switch self {
        case .bool(let value): return value
        case .int(0), .double(0): return false
        case .int(1), .double(1): return true
        case .string(let text): return SettingText.bool(text)
        default: return nil
        }
    }
}
