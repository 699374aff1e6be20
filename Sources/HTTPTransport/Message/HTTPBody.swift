/// The body of an answer, in portions as they arrive.
///
/// It is read once. At most about 256 KiB wait in memory: beyond that the transfer pauses until they are read.
/// When the body and its iterators are let go before the end, the transfer is cancelled and its connection closed;
/// the same happens when the reading task is cancelled, which ends in an error of kind `cancelled`.
public struct HTTPBody: AsyncSequence, Sendable {
    public typealias Element = [UInt8]
    public typealias Failure = TransportError

    private let source: TransferHandle

    init(_ source: TransferHandle) {
        self.source = source
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let source: TransferHandle

        /// The bytes that have arrived since the last call, never empty; nil at the end. What arrived before a
        /// failure is handed out before the error.
        public mutating func next() async throws(TransportError) -> [UInt8]? {
            try await source.nextPortion()
        }

        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(TransportError) -> [UInt8]? {
            try await source.nextPortion(isolation: actor)
        }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(source: source)
    }

    /// All that is left of the body. Ends the transfer with an error of kind `tooLarge`, and closes its connection, as
    /// soon as there are more than `maxBytes` of it once decompressed; without waiting for a byte when the head
    /// announces more.
    public func collect(upTo maxBytes: Int) async throws(TransportError) -> [UInt8] {
        if let announced = source.announcedBytes, announced > maxBytes {
            throw source.end(
                .tooLarge, "the answer's body of \(announced) bytes is larger than the limit of \(maxBytes) bytes")
        }
        var collected: [UInt8] = []
        while let portion = try await source.nextPortion() {
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

    /// What the rest of the body begins with: at most `maxBytes` of it. When there is more, the transfer is ended and
    /// its connection closed.
    public func beginning(upTo maxBytes: Int) async throws(TransportError) -> [UInt8] {
        var collected: [UInt8] = []
        while let portion = try await source.nextPortion() {
            collected.append(contentsOf: portion.prefix(maxBytes - collected.count))
            if collected.count == maxBytes {
                source.cancel()
                break
            }
        }
        return collected
    }

    /// Ends the transfer now; a reader that waits gets an error of kind `cancelled`.
    public func cancel() {
        source.cancel()
    }
}
