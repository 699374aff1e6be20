package import FoundationEssentials

extension UUID {
    /// The id as the API writes it, in lower case.
    package var text: String { uuidString.lowercased() }

    /// Reads an id of another source than the API.
    ///
    /// - Throws: An ``APIError`` for an invalid request, when the text is no id.
    package init(id text: String) throws(APIError) {
        guard let id = UUID(uuidString: text) else {
            throw APIError(invalid: "'\(text.explanation)' is not the id of an object", operation: "the request")
        }
        self = id
    }
}
