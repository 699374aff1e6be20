/// An answer whose head has arrived and whose body may still be on its way.
public struct HTTPResponse: Sendable {
    /// The status line and the header fields.
    public struct Head: Sendable, Equatable {
        public var status: Int
        public var version: HTTPVersion
        /// As received. A value that is not UTF-8 has its broken bytes replaced by U+FFFD.
        public var headers: HTTPHeaders
        /// Where the answer came from after redirects, without user, password and fragment.
        public var url: String
        /// Whether the request went out more than once: the connection that it had been sent on was dead. The first may
        /// have reached the server all the same.
        public var requestWasRepeated: Bool

        public init(
            status: Int, version: HTTPVersion = .http11, headers: HTTPHeaders = [:], url: String = "",
            requestWasRepeated: Bool = false
        ) {
            self.status = status
            self.version = version
            self.headers = headers
            self.url = url
            self.requestWasRepeated = requestWasRepeated
        }

        public var isSuccess: Bool { (200..<300).contains(status) }
    }

    public let head: Head
    public let body: HTTPBody

    public var status: Int { head.status }
    public var headers: HTTPHeaders { head.headers }
    public var version: HTTPVersion { head.version }
}

extension HTTPResponse.Head {
    /// How many bytes of body `Content-Length` announces, the most of several; nil without one, and where an answer has
    /// no body whatever it says. A number beyond all reckoning is `Int.max`.
    func announcedBytes(for method: HTTPMethod) -> Int? {
        guard method != .head, status != 204, status != 304 else { return nil }
        return headers.values(for: "Content-Length").compactMap { value in
            guard !value.isEmpty, value.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
            else { return nil }
            return Int(value) ?? .max
        }.max()
    }
}

/// The protocol version an answer came in.
public enum HTTPVersion: String, Sendable, Hashable {
    case http10 = "HTTP/1.0"
    case http11 = "HTTP/1.1"
    case http2 = "HTTP/2"
}
