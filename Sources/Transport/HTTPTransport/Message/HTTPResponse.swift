/// A response whose head has arrived and whose body may still be arriving.
package struct HTTPResponse: Sendable {
    /// The status line and the header fields.
    package struct Head: Sendable, Equatable {
        package var status: Int
        package var version: HTTPVersion
        /// The header fields as received. Bytes of a value that are not UTF-8 are replaced by U+FFFD.
        package var headers: HTTPHeaders
        /// The URL that the response came from after redirects, without user, password and fragment.
        package var url: String
        /// Whether the request was sent more than once, because its first connection was dead. The first request may
        /// have reached the server all the same.
        package var requestWasRepeated: Bool

        package init(
            status: Int, version: HTTPVersion = .http11, headers: HTTPHeaders = [:], url: String = "",
            requestWasRepeated: Bool = false
        ) {
            self.status = status
            self.version = version
            self.headers = headers
            self.url = url
            self.requestWasRepeated = requestWasRepeated
        }

        package var isSuccess: Bool { (200..<300).contains(status) }
    }

    package let head: Head
    package let body: HTTPBody

    package var status: Int { head.status }
    package var headers: HTTPHeaders { head.headers }
    package var version: HTTPVersion { head.version }
}

extension HTTPResponse.Head {
    /// The number of body bytes that `Content-Length` announces, the largest of several. Nil without such a header, and
    /// for a response that never has a body. A number too large for `Int` becomes `Int.max`.
    func announcedBytes(for method: HTTPMethod) -> Int? {
        guard method != .head, status != 204, status != 304 else { return nil }
        return headers.values(for: "Content-Length").compactMap { value in
            guard !value.isEmpty, value.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
            else { return nil }
            return Int(value) ?? .max
        }.max()
    }
}

/// The protocol version of a response.
package enum HTTPVersion: String, Sendable, Hashable {
    case http10 = "HTTP/1.0"
    case http11 = "HTTP/1.1"
    case http2 = "HTTP/2"
}
