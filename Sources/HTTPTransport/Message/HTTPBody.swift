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

    /// All that is left of the body. Ends the transfer with an error of kind `tooLarge` as soon as there are more
    /// than `maxBytes` of it.
    public func collect(upTo maxBytes: Int) async throws(TransportError) -> [UInt8] {
        var collected: [UInt8] = []
        while let portion = try await source.nextPortion() {
            guard portion.count <= maxBytes - collected.count else {
                throw source.end(.tooLarge, "the answer is larger than \(maxBytes) bytes")
            }
            if collected.isEmpty {
                collected = portion
            } else {
                collected.append(contentsOf: portion)
            }
        }
        return collected
    }

    /// Ends the transfer now; a reader that waits gets an error of kind `cancelled`.
    public func cancel() {
        source.cancel()
    }
}
