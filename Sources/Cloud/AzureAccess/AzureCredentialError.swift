/// The reason why there is no token for Azure, in one line with the remedy. It contains no secret.
package struct AzureCredentialError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The reason.
    package let description: String

    /// An error.
    package init(_ description: String) { self.description = description }
}

/// The reason why a source of tokens is not configured or not present here, so that the next source is tried.
struct SourceUnavailable: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}
