/// Assembles the head of a response from single lines. It skips 1xx heads before the final head and trailers after the
/// body.
package struct HeadParser: Sendable {
    package enum Outcome: Equatable {
        case incomplete
        case interim
        case head(HTTPResponse.Head)
        /// The line is not part of a head but a trailer field after the body.
        case trailer
        case malformed(String)
    }

    /// The most bytes of all lines together, including interim heads and trailers. A larger head is an attack or a
    /// mistake.
    package static let limit = 256 * 1024

    private let url: String
    private let awaitsSwitch: Bool
    private var current: HTTPResponse.Head?
    private var isComplete = false
    private var size = 0

    /// With `awaitsSwitch`, a response with status 101 is the final response and not an interim one.
    package init(url: String, awaitsSwitch: Bool = false) {
        self.url = url
        self.awaitsSwitch = awaitsSwitch
    }

    /// Processes one line, including its line end.
    package mutating func consume(_ line: some Collection<UInt8>) -> Outcome {
        size += line.count
        guard size <= Self.limit else {
            let part = isComplete ? "head and trailers are" : "head is"
            return .malformed("the answer's \(part) larger than \(Self.limit) bytes")
        }
        if isComplete { return .trailer }

        let content = Self.trimmed(line)
        guard var head = current else {
            current = statusLine(content)
            return current == nil ? .malformed("the answer does not begin with an HTTP status line") : .incomplete
        }
        if content.isEmpty {
            current = nil
            // A switch of protocols that was not requested is interim, like the other 1xx responses.
            let isSwitch = awaitsSwitch && head.status == 101
            if (100..<200).contains(head.status), !isSwitch { return .interim }
            isComplete = true
            return .head(head)
        }
        if let first = line.first, first == UInt8(ascii: " ") || first == UInt8(ascii: "\t") {
            head.headers.extendLastValue(String(decoding: content, as: UTF8.self))
        } else if let colon = content.firstIndex(of: UInt8(ascii: ":")) {
            let name = Self.trimmed(content[..<colon])
            let value = Self.trimmed(content[content.index(after: colon)...])
            head.headers.add(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
        } else {
            return .malformed("the answer's head has a line without a colon")
        }
        current = head
        return .incomplete
    }

    private func statusLine(_ line: some Collection<UInt8>) -> HTTPResponse.Head? {
        let parts = String(decoding: line, as: UTF8.self).split(separator: " ", maxSplits: 2)
        guard parts.count >= 2, let status = Int(parts[1]), (100..<1000).contains(status) else { return nil }
        let version: HTTPVersion
        switch parts[0] {
        case "HTTP/1.0": version = .http10
        case "HTTP/2", "HTTP/2.0": version = .http2
        default:
            guard parts[0].hasPrefix("HTTP/1.") else { return nil }
            version = .http11
        }
        return HTTPResponse.Head(status: status, version: version, url: url)
    }

    private static func trimmed<Bytes: Collection<UInt8>>(_ bytes: Bytes) -> ArraySlice<UInt8> {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a }
        var slice = ArraySlice(bytes).drop(while: isSpace)
        while let last = slice.last, isSpace(last) { slice.removeLast() }
        return slice
    }
}
