internal import OrderedCollections
package import PrefectJSON

/// Replaces the placeholders in a template by values, in every string of its objects and arrays. Keys are not changed.
///
/// - A string that is nothing but one placeholder becomes the value, of any type. Without a value it is *not set*: its
///   key or array element is removed.
/// - In any other string, each placeholder is replaced by the value as Python's `str` writes it, or by nothing.
///   Replacing goes once from left to right; inserted text is not searched again.
/// - `{{ $NAME }}` is a variable of `environment`. It is always text, and empty when there is none.
/// - Placeholders of blocks and variables are kept for ``JobRenderer``.
///
/// - Parameters:
///   - values: An object. Placeholders name paths into it, like `env.FOO` or `volumes[0]`.
///   - removeNotSet: False keeps members and placeholders without a value unchanged. Array elements are removed all the
///     same.
///   - skippedPrefixes: Placeholders whose names start with one of these stay unchanged.
/// - Returns: `nil` when the template itself is a placeholder without a value.
package func applyValues(
    template: JSONValue, values: JSONValue, environment: [String: String], removeNotSet: Bool = true,
    skippedPrefixes: [String] = []
) throws(TemplateError) -> JSONValue? {
    var application = ValueApplication(
        values: values, environment: environment, removeNotSet: removeNotSet, skippedPrefixes: skippedPrefixes)
    return try application.apply(to: template, at: TemplatePath(root: "template"))
}

/// One application of values to a template.
struct ValueApplication {
    let values: JSONValue
    let environment: [String: String]
    var removeNotSet = true
    var skippedPrefixes: [String] = []
    var budget = RenderBudget()

    mutating func apply(to template: JSONValue, at path: TemplatePath) throws(TemplateError) -> JSONValue? {
        try path.checkDepth()
        switch template {
        case .null, .bool, .int, .bigInteger, .double:
            return template
        case .string(let text):
            return try apply(to: text, at: path)
        case .array(let elements):
            var applied: [JSONValue] = []
            for (index, element) in elements.enumerated() {
                if let value = try apply(to: element, at: path.appending(index: index)) { applied.append(value) }
            }
            return .array(applied)
        case .object(let members):
            var applied: OrderedDictionary<String, JSONValue> = [:]
            for (key, member) in members {
                if let value = try apply(to: member, at: path.appending(key: key)) {
                    applied[key] = value
                } else if !removeNotSet {
                    applied[key] = member
                }
            }
            return .object(applied)
        }
    }

    private mutating func apply(to text: String, at path: TemplatePath) throws(TemplateError) -> JSONValue? {
        let placeholders = Placeholder.all(in: text).filter { placeholder in
            !skippedPrefixes.contains { placeholder.name.utf8.starts(with: $0.utf8) }
        }
        guard let first = placeholders.first else { return .string(text) }
        if first.kind == .standard, first.isWhole(of: text) {
            let value = KeyPath.value(at: first.name, in: values)
            if let value { try budget.spend(value, at: path) }
            return value
        }
        try budget.spend(text.utf8.count, at: path)
        return .string(
            try text.replacing(placeholders) { (placeholder) throws(TemplateError) -> String? in
                let value: String?
                switch placeholder.kind {
                case .standard: value = KeyPath.value(at: placeholder.name, in: values)?.pythonText
                case .environment: value = environment[placeholder.environmentName]
                case .block, .variable: return nil
                }
                if let value { try budget.spend(value.utf8.count, at: path) }
                return value ?? (removeNotSet ? "" : nil)
            })
    }
}

extension String {
    /// The text with each placeholder replaced; `nil` keeps a placeholder unchanged.
    func replacing<Failure: Error>(
        _ placeholders: [Placeholder], by replacement: (Placeholder) throws(Failure) -> String?
    ) throws(Failure) -> String {
        var result = ""
        var position = startIndex
        for placeholder in placeholders {
            guard let text = try replacement(placeholder) else { continue }
            result += self[position..<placeholder.range.lowerBound]
            result += text
            position = placeholder.range.upperBound
        }
        result += self[position...]
        return result
    }
}
