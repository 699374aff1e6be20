import HTTPTransport

/// The server's half of the handshake, read from portions of any size. It is a value without I/O.
struct UpgradeAnswer: Sendable {
    enum Outcome: Equatable {
        case incomplete
        /// The server agreed. `rest` holds the bytes after the head, which belong to the first frames.
        case open(subprotocol: String?, headers: HTTPHeaders, rest: [UInt8])
        case refused(WebSocketRefusal)
        /// A response with status 101 that does not match the request.
        case mismatch(String)
        /// The bytes are not an HTTP response.
        case malformed(String)
    }

    /// The most bytes that are kept of a refusal's body.
    static let bodyLimit = 4096

    private let expectedAccept: String
    private let subprotocols: [String]
    private var parser: HeadParser
    /// The bytes of a line that is not yet complete.
    private var line: [UInt8] = []
    private var refusal: HTTPResponse.Head?
    private var body: [UInt8] = []

    init(to request: UpgradeRequest, url: String) {
        expectedAccept = request.expectedAccept
        subprotocols = request.subprotocols
        parser = HeadParser(url: url, awaitsSwitch: true)
    }

    /// Whether the head of a refusal has arrived. Its body may still be incomplete.
    var isRefusal: Bool { refusal != nil }

    mutating func receive(_ bytes: some Collection<UInt8>) -> Outcome {
        var rest = ArraySlice(bytes)
        while refusal == nil {
            guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else {
                line.append(contentsOf: rest)
                guard line.count <= HeadParser.limit else {
                    return .malformed("the answer's head is larger than \(HeadParser.limit) bytes")
                }
                return .incomplete
            }
            line.append(contentsOf: rest[...end])
            rest = rest[(end + 1)...]
            defer { line = [] }
            switch parser.consume(line) {
            case .incomplete, .interim, .trailer: continue
            case .malformed(let cause): return .malformed(cause)
            case .head(let head) where head.status == 101: return agreement(head, rest: rest)
            case .head(let head): refusal = head
            }
        }
        body.append(contentsOf: rest)
        return bodyIsComplete ? end() : .incomplete
    }

    /// Concludes the handshake when no more bytes will come, or when the wait for them has ended.
    func end() -> Outcome {
        guard let refusal else { return .incomplete }
        let content = isChunked ? Self.unchunked(body) : body[...]
        return .refused(
            WebSocketRefusal(
                status: refusal.status, headers: refusal.headers,
                body: Array(content.prefix(min(Self.bodyLimit, announcedLength ?? .max)))))
    }

    // MARK: Agreement

    private func agreement(_ head: HTTPResponse.Head, rest: ArraySlice<UInt8>) -> Outcome {
        func tokens(_ name: String) -> [String] {
            head.headers.values(for: name).flatMap { $0.split { ", \t".contains($0) } }.map(String.init)
        }
        guard tokens("Upgrade").contains(where: { $0.equalsIgnoringCase("websocket") }),
            tokens("Connection").contains(where: { $0.equalsIgnoringCase("upgrade") })
        else { return .mismatch("the server does not switch to a WebSocket") }
        guard head.headers.values(for: "Sec-WebSocket-Accept") == [expectedAccept] else {
            return .mismatch("the server's Sec-WebSocket-Accept does not match the handshake")
        }
        guard head.headers.values(for: "Sec-WebSocket-Extensions").allSatisfy(\.isEmpty) else {
            return .mismatch("the server uses extensions that were not offered")
        }
        let chosen = tokens("Sec-WebSocket-Protocol")
        guard chosen.count <= 1, chosen.allSatisfy(subprotocols.contains) else {
            return .mismatch("the server chooses a subprotocol that was not offered")
        }
        guard !chosen.isEmpty || subprotocols.isEmpty else {
            let offered = subprotocols.joined(separator: ", ")
            return .mismatch("the server accepts none of the offered subprotocols (\(offered))")
        }
        return .open(subprotocol: chosen.first, headers: head.headers, rest: Array(rest))
    }

    // MARK: Refusal

    private var isChunked: Bool {
        refusal?.headers["Transfer-Encoding"]?.lowercased().contains("chunked") == true
    }

    private var announcedLength: Int? {
        if let status = refusal?.status, status == 204 || status == 304 { return 0 }
        guard !isChunked else { return nil }
        return refusal?.headers["Content-Length"].flatMap { Int($0) }.map { max(0, $0) }
    }

    private var bodyIsComplete: Bool {
        // Chunk size lines take part of the raw bytes, so more of them are needed for the same content.
        if isChunked { return body.count >= 4 * Self.bodyLimit || body.suffix(5).elementsEqual("0\r\n\r\n".utf8) }
        return body.count >= min(announcedLength ?? .max, Self.bodyLimit)
    }

    /// The content of the chunks received so far. Data that is not a chunk ends it.
    private static func unchunked(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
        var content: [UInt8] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let line = String(decoding: rest[..<end], as: UTF8.self).prefix(while: \.isHexDigit)
            guard let size = Int(line, radix: 16), size > 0 else { break }
            rest = rest[(end + 1)...]
            content += rest.prefix(size)
            rest = rest.dropFirst(size).dropFirst(2)
        }
        return content[...]
    }
}
