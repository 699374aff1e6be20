internal import Glibc

/// Who has printed something.
public struct OutputSource: Sendable, Hashable {
    /// The standard stream that it came by.
    public enum Stream: String, Sendable, Hashable {
        case output = "stdout"
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

/// Where the output of flow runs goes.
public protocol OutputSink: Sendable {
    /// Takes some of the bytes, waiting at most `limit` for room. They begin with a line, and end with one unless it is very
    /// long or the last. Returns how many were taken, 0 when there was no room, `nil` when the sink is broken for good.
    /// Called by one thread at a time.
    func write(_ bytes: ArraySlice<UInt8>, of source: OutputSource, waitingUpTo limit: Duration) -> Int?
}

/// A sink that is an open descriptor of this process, like its standard output. The descriptor's modes are not changed.
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
            // It says that it is ready and is not: waiting for it would return at once.
            poll(nil, 0, Int32(clamping: min(milliseconds, 100)))
            return 0
        default: return nil
        }
    }
}
