package import BackendKit
internal import JobTemplates
package import PrefectJSON

/// Command lines of a container.
package enum CommandWords {
    /// The words of a command line, or a list as it is; `nil` for an absent or null one.
    ///
    /// Throws ``InfrastructureError`` of the kind `refused`.
    package static func words(_ value: JSONValue?, of field: String) throws(InfrastructureError) -> [JSONValue]? {
        switch value {
        case nil, .null?: return nil
        case .array(let words)?: return words
        case .string(let line)?:
            guard let words = try? ShellWords.split(line) else {
                throw InfrastructureError(
                    .refused,
                    "The job's \(field) cannot be split into words: a quotation mark is not closed; correct it")
            }
            return words.map(JSONValue.string)
        case .some(let other):
            throw InfrastructureError(
                .refused, "The job's \(field) should be a command line but its type is \(other.typeName); correct it")
        }
    }
}
