public import JSON
internal import OrderedCollections

/// Replaces the placeholders in a template by values, in every string of its objects and arrays; keys are left alone.
///
/// - A string that is nothing but one placeholder becomes the value, whatever its type. Without a value it is *not
///   set*: the key or the element that holds it vanishes.
/// - In any other string each placeholder is replaced by the value as Python's `str` writes it, or by nothing.
///   Replacing goes from left to right and once: what was put in is not searched again.
/// - `{{ $NAME }}` is a variable of `environment`, always text, empty when there is none.
/// - Placeholders of blocks and variables are left for ``JobRenderer``.
///
/// - Parameters:
///   - values: an object; placeholders name paths into it, like `env.FOO` or `volumes[0]`.
///   - removeNotSet: false leaves what has no value as it stands (array elements vanish all the same).
///   - skippedPrefixes: placeholders whose names start so are left alone.
/// - Returns: `nil` when the template itself is a placeholder without a value.
public func applyValues(
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
    /// The text with each placeholder replaced; `nil` leaves one as it stands.
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
