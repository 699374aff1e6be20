/// Adds to a request what identifies its sender: a token, a signature, or other headers and query parts.
///
/// ```swift
/// struct BearerToken: RequestSigner {
///     let token: String
///     func sign(_ request: inout RESTRequest, for baseURL: String) {
///         request.headers["Authorization"] = "Bearer \(token)"
///     }
/// }
/// ```
package protocol RequestSigner: Sendable {
    /// Changes a request before each attempt. It may wait, for example for a fresh token.
    ///
    /// - Parameters:
    ///   - request: The request, with all of its headers. Its method, path and body are final.
    ///   - baseURL: The URL of the service, before the path.
    /// - Throws: Any error. It becomes a ``RequestFailure`` of the kind `notSigned`, except for `CancellationError` and
    ///   ``RequestFailure`` itself.
    func sign(_ request: inout RESTRequest, for baseURL: String) async throws
}
