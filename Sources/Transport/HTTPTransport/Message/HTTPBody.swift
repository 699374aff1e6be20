/// The body of a response, in portions as they arrive.
///
/// The body can be read once. At most about 256 KiB wait in memory; beyond that, the transfer pauses until the reader
/// has taken them. When the body and its iterators are released before the end, the transfer is cancelled and its
/// connection closed. The same happens when the reading task is cancelled; the reader then gets an error of kind
/// `cancelled`.
package struct HTTPBody: AsyncSequence, Sendable {
    package typealias Element = [UInt8]
    package typealias Failure = TransportError

    private let source: any HTTPBodySource

    init(_ source: any HTTPBodySource) {
        self.source = source
    }

    package struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let source: any HTTPBodySource

        /// Returns the bytes that have arrived since the last call, never empty; nil at the end. Bytes that arrived
        /// before a failure are returned before the error.
        package mutating func next() async throws(TransportError) -> [UInt8]? {
            try await source.nextPortion(isolation: #isolation)
        }

        package mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(TransportError) -> [UInt8]? {
            try await source.nextPortion(isolation: actor)
        }
    }

    package func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(source: source)
    }

    /// Returns the rest of the body. As soon as the decompressed bytes exceed `maxBytes`, it ends the transfer with
    /// `tooLarge` and closes its connection. It does so without waiting for a byte when the head announces more.
    package func collect(upTo maxBytes: Int) async throws(TransportError) -> [UInt8] {
        if let announced = source.announcedBytes, announced > maxBytes {
            throw source.end(
                .tooLarge, "the answer's body of \(announced) bytes is larger than the limit of \(maxBytes) bytes")
        }
        var collected: [UInt8] = []
        while let portion = try await source.nextPortion(isolation: #isolation) {
            guard portion.count <= maxBytes - collected.count else {
                throw source.end(
                    .tooLarge,
                    "the answer's body is larger than the limit of \(maxBytes) bytes: it was dropped after "
                        + "\(collected.count + portion.count) bytes")
            }
            if collected.isEmpty {
                collected = portion
            } else {
                collected.append(contentsOf: portion)
            }
        }
        return collected
    }

    /// Returns the first bytes of the remaining body, at most `maxBytes`. When `maxBytes` have arrived, it ends the
    /// transfer and closes its connection.
    package func beginning(upTo maxBytes: Int) async throws(TransportError) -> [UInt8] {
        var collected: [UInt8] = []
        while let portion = try await source.nextPortion(isolation: #isolation) {
            collected.append(contentsOf: portion.prefix(maxBytes - collected.count))
            if collected.count == maxBytes {
                source.cancel()
                break
            }
        }
        return collected
    }

    /// Ends the transfer now. A waiting reader gets an error of kind `cancelled`.
    package func cancel() {
        source.cancel()
    }
}

/// The transfer that a body comes from.
protocol HTTPBodySource: Sendable {
    /// The number of body bytes that the head announces, before decompression; nil when it announces none.
    var announcedBytes: Int? { get }

    /// Waits for the bytes that have arrived since the last call, never empty; nil at the end.
    func nextPortion(isolation: isolated (any Actor)?) async throws(TransportError) -> [UInt8]?

    /// Ends the transfer. Its reader fails with an error of kind `cancelled`.
    func cancel()

    /// Ends the transfer with an error, and returns the error.
    @discardableResult
    func end(_ kind: TransportError.Kind, _ cause: String) -> TransportError
}
