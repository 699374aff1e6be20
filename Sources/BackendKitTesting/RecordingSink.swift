public import BackendKit
internal import Synchronization

/// A sink that records all bytes.
public final class RecordingSink: OutputSink {
    private let bytes = Mutex<[UInt8]>([])

    /// A sink without content.
    public init() {}

    /// Records the bytes.
    public func write(_ new: ArraySlice<UInt8>, of source: OutputSource, waitingUpTo limit: Duration) -> Int? {
        bytes.withLock { $0 += new }
        return new.count
    }

    /// All bytes.
    public var content: [UInt8] { bytes.withLock { $0 } }
    /// All bytes as text.
    public var text: String { String(decoding: content, as: UTF8.self) }
    /// The lines of the text; empty lines are omitted.
    public var lines: [String] { text.split(separator: "\n").map(String.init) }
}
