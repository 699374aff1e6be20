internal import Glibc

/// The origin of printed output.
public struct OutputSource: Sendable, Hashable {
    /// The standard stream of the output.
    public enum Stream: String, Sendable, Hashable {
        /// The standard output.
        case output = "stdout"
        /// The standard error.
        case errors = "stderr"
    }

    /// The flow run's id.
    public let flowRunID: String
    /// The flow run's name.
    public let flowRunName: String
    /// The stream.
    public let stream: Stream

    /// A source.
    public init(flowRunID: String, flowRunName: String, stream: Stream) {
        self.flowRunID = flowRunID
        self.flowRunName = flowRunName
        self.stream = stream
    }
}

/// The destination of the output of flow runs.
public protocol OutputSink: Sendable {
    /// Writes some of the bytes, and waits at most `limit` for room. The bytes begin with a line, and end with a
    /// complete one unless that is very long or the last. Returns the number of bytes written, 0 without room, `nil`
    /// when the sink is permanently broken. Only one thread at a time calls this method.
    func write(_ bytes: ArraySlice<UInt8>, of source: OutputSource, waitingUpTo limit: Duration) -> Int?
}

/// A sink for an open descriptor of this process, such as its standard output. It does not change the descriptor's
/// modes.
public struct DescriptorSink: OutputSink {
    private let descriptor: Int32

    /// This process's standard output.
    public static let standardOutput = DescriptorSink(descriptor: 1)
    /// This process's standard error.
    public static let standardError = DescriptorSink(descriptor: 2)

    /// A sink for a descriptor, which must stay open.
    public init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Writes at most `PIPE_BUF` bytes once the descriptor is ready.
    public func write(_ bytes: ArraySlice<UInt8>, of source: OutputSource, waitingUpTo limit: Duration) -> Int? {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        let milliseconds =
            limit.components.seconds * 1000 + limit.components.attoseconds / 1_000_000_000_000_000
        let ready = poll(&request, 1, Int32(clamping: milliseconds))
        if ready < 0 { return errno == EINTR ? 0 : nil }
        if ready == 0 { return 0 }
        // A pipe that is ready has room for this much, so that the call does not block.
        let portion = bytes.prefix(Int(PIPE_BUF))
        let count = portion.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count >= 0 { return count }
        switch errno {
        case EINTR: return 0
        case EAGAIN, ENOSPC, EDQUOT:
            // The descriptor reports that it is ready and is not, so that waiting for it would return at once.
            poll(nil, 0, Int32(clamping: min(milliseconds, 100)))
            return 0
        default: return nil
        }
    }
}
