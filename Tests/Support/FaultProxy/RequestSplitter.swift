/// Finds the requests in the bytes that a client sends, without changing a byte.
///
/// Bytes that are not HTTP/1 (TLS, HTTP/2, the data after an upgrade) pass through unchanged.
struct RequestSplitter {
    /// A part of the bytes that the client sent.
    enum Piece: Equatable {
        /// A request's line and headers.
        case head(method: String, path: String, [UInt8])
        /// A part of its body, in the form in which it was sent.
        case body([UInt8])
        /// The end of the request.
        case end
        /// Bytes that belong to no request.
        case opaque([UInt8])
    }

    private enum State {
        case head
        case counted(Int)
        case chunkLine
        case chunk(Int)
        case trailer
        case opaque
    }

    private var state = State.head
    private var buffer: [UInt8] = []

    /// Accepts bytes and returns the pieces that they complete.
    mutating func take(_ bytes: [UInt8]) -> [Piece] {
        buffer += bytes
        var pieces: [Piece] = []
        while !buffer.isEmpty, let piece = next() { pieces += piece }
        return pieces
    }

    private mutating func next() -> [Piece]? {
        switch state {
        case .head: return takeHead()
        case .counted(let rest):
            let taken = take(min(rest, buffer.count))
            return [.body(taken)] + finish(rest: rest - taken.count) { .counted($0) }
        case .chunkLine:
            guard let line = takeLine() else { return nil }
            let size = Int(String(decoding: line.prefix { $0 != 0x3B && $0 != 0x0D }, as: UTF8.self), radix: 16)
            guard let size, size >= 0 else {
                state = .opaque
                return [.opaque(line)]
            }
            // The line end after the data counts as part of it.
            state = size == 0 ? .trailer : .chunk(size + 2)
            return [.body(line)]
        case .chunk(let rest):
            let taken = take(min(rest, buffer.count))
            state = taken.count == rest ? .chunkLine : .chunk(rest - taken.count)
            return [.body(taken)]
        case .trailer:
            guard let line = takeLine() else { return nil }
            if line.count > 2 { return [.body(line)] }
            state = .head
            return [.body(line), .end]
        case .opaque: return [.opaque(take(buffer.count))]
        }
    }

    private mutating func finish(rest: Int, _ next: (Int) -> State) -> [Piece] {
        state = rest == 0 ? .head : next(rest)
        return rest == 0 ? [.end] : []
    }

    private mutating func take(_ count: Int) -> [UInt8] {
        defer { buffer.removeFirst(count) }
        return Array(buffer.prefix(count))
    }

    private mutating func takeLine() -> [UInt8]? {
        guard let end = buffer.firstIndex(of: 0x0A) else { return nil }
        return take(end + 1)
    }

    private mutating func takeHead() -> [Piece]? {
        guard buffer.first.map({ (0x41...0x5A).contains($0) }) == true else { return giveUp() }
        guard let end = endOfHead() else { return buffer.count > 100_000 ? giveUp() : nil }
        let bytes = take(end)
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count == 3, words[2].hasPrefix("HTTP/1.") else {
            state = .opaque
            return [.opaque(bytes)]
        }
        let head = Piece.head(method: String(words[0]), path: String(words[1]), bytes)
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let sides = line.split(separator: ":", maxSplits: 1)
            guard sides.count == 2 else { continue }
            headers[sides[0].lowercased()] = sides[1].lowercased().filter { $0 != " " }
        }
        if headers["upgrade"] != nil {
            state = .opaque
            return [head, .end]
        }
        if headers["transfer-encoding"]?.hasSuffix("chunked") == true {
            state = .chunkLine
            return [head]
        }
        return [head] + finish(rest: headers["content-length"].flatMap { Int($0) } ?? 0) { .counted($0) }
    }

    private mutating func giveUp() -> [Piece] {
        state = .opaque
        return [.opaque(take(buffer.count))]
    }

    private func endOfHead() -> Int? {
        let mark: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A]
        guard buffer.count >= 4 else { return nil }
        for start in 0...(buffer.count - 4) where buffer[start] == 0x0D && buffer[start..<start + 4].elementsEqual(mark)
        {
            return start + 4
        }
        return nil
    }
}
