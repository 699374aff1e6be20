internal import OrderedCollections
internal import PrefectJSON

/// The amount of text that the placeholders of one configuration may still expand to. Without a limit, a few lines of a
/// template could expand to gigabytes.
struct RenderBudget {
    let limit: Int
    private var left: Int

    init(limit: Int = 32 << 20) {
        self.limit = limit
        left = limit
    }

    /// Counts a text that replaces a placeholder.
    mutating func spend(_ bytes: Int, at path: TemplatePath) throws(TemplateError) {
        left -= min(bytes, left + 1)
        guard left < 0 else { return }
        throw TemplateError(
            .tooLarge, path: path.description,
            problem: "the placeholders expand to more text than the budget of \(limit) bytes for a configuration",
            remedy: "refer to long values less often, or let the flow read them itself")
    }

    /// Counts a value that replaces a placeholder. All of its content counts, since all of it will be written.
    mutating func spend(_ value: JSONValue, at path: TemplatePath) throws(TemplateError) {
        switch value {
        case .null, .bool, .int, .double: try spend(4, at: path)
        case .bigInteger(let text), .string(let text): try spend(2 + text.utf8.count, at: path)
        case .array(let elements):
            try spend(2, at: path)
            for element in elements { try spend(element, at: path) }
        case .object(let members):
            try spend(2, at: path)
            for (key, member) in members {
                try spend(4 + key.utf8.count, at: path)
                try spend(member, at: path)
            }
        }
    }
}
