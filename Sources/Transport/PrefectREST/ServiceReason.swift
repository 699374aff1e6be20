/// The reason that a service gives for an answer that is no success. The client of a service reads it from the answer.
package struct ServiceReason: Sendable, Hashable {
    /// A field of a request that the service refuses.
    package struct Field: Sendable, Hashable {
        /// The path of the field.
        package let field: String
        /// The reason why it is refused.
        package let message: String

        /// Creates a field.
        package init(field: String, message: String) {
            self.field = field
            self.message = message
        }
    }

    /// The service's own name for the reason, such as `AlreadyExists`; empty without one.
    package var code: String
    /// The message for people.
    package var message: String
    /// The refused fields, when the service names them.
    package var fields: [Field]
    /// The pause that the answer's body requests.
    package var retryAfter: Duration?
    /// Whether the same request may succeed later; nil to decide by the status. Some services throttle with a 400.
    package var isTransient: Bool?

    /// Creates a reason.
    package init(
        code: String = "", message: String, fields: [Field] = [], retryAfter: Duration? = nil, isTransient: Bool? = nil
    ) {
        self.code = code
        self.message = message
        self.fields = fields
        self.retryAfter = retryAfter
        self.isTransient = isTransient
    }

    /// Creates a reason with a text of the service.
    ///
    /// - Parameters:
    ///   - text: The text; without it, the beginning of the answer's body counts. If that has no text either, the
    ///     message names the status.
    ///   - answer: The answer with the text.
    ///   - limit: The most bytes of the body.
    package init(text: String? = nil, of answer: RESTAnswer, limit: Int = 500) {
        let text = text ?? String(decoding: answer.body.prefix(limit), as: UTF8.self)
        self.init(message: text.allSatisfy(\.isWhitespace) ? "the answer is \(answer.status)" : text)
    }
}
