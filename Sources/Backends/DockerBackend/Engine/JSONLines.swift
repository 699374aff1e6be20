internal import HTTPTransport
internal import PrefectJSON
internal import PrefectREST

/// Splits a stream of JSON values, one per line, into the values. Lines without a value are skipped.
struct JSONLineDecoder: Sendable {
    /// The longest line, in bytes.
    static let longestLine = 1 << 20

    private var line: [UInt8] = []

    /// The values of the lines that a portion completes. Throws when a line is too long or is not JSON. The rest of
    /// the stream is then unusable.
    mutating func decode(_ bytes: some Sequence<UInt8>) throws(JSONLineError) -> [JSONValue] {
        var values: [JSONValue] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if let value = try finish() { values.append(value) }
            } else {
                guard line.count < Self.longestLine else {
                    throw JSONLineError(problem: "a line of a stream is too long")
                }
                line.append(byte)
            }
        }
        return values
    }

    /// The value of the last line, which may lack its line end.
    mutating func finish() throws(JSONLineError) -> JSONValue? {
        defer { line.removeAll(keepingCapacity: true) }
        guard line.contains(where: { $0 > 0x20 }) else { return nil }
        do {
            return try JSONValue(parsing: line)
        } catch {
            throw JSONLineError(problem: "a line of a stream is not JSON: \(error)")
        }
    }
}

/// A problem with a stream of JSON values.
struct JSONLineError: Error, Hashable {
    let problem: String
}

/// The JSON values of an answer as they arrive. The iteration throws ``EngineError``, or `CancellationError`.
struct JSONLines: AsyncSequence {
    typealias Element = JSONValue

    private let body: HTTPBody
    private let operation: String

    init(_ body: HTTPBody, operation: String) {
        self.body = body
        self.operation = operation
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var portions: HTTPBody.AsyncIterator
        fileprivate let operation: String
        private var decoder = JSONLineDecoder()
        private var waiting: ArraySlice<JSONValue> = []
        private var hasEnded = false

        fileprivate init(portions: HTTPBody.AsyncIterator, operation: String) {
            self.portions = portions
            self.operation = operation
        }

        mutating func next() async throws -> JSONValue? {
            while true {
                if let value = waiting.popFirst() { return value }
                guard !hasEnded else { return nil }
                do {
                    if let portion = try await portions.next() {
                        waiting = try decoder.decode(portion)[...]
                    } else {
                        hasEnded = true
                        return try decoder.finish()
                    }
                } catch let error as TransportError {
                    throw EngineError.error(for: error, operation: operation)
                } catch let error as JSONLineError {
                    throw EngineError(.malformed, operation: operation, message: error.problem)
                }
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(portions: body.makeAsyncIterator(), operation: operation)
    }
}
