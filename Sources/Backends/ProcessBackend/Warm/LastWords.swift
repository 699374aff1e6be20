internal import BackendKit
internal import CLinux
internal import Glibc
internal import PrefectFiles
internal import Synchronization

/// Reads what a process prints on its standard error, and keeps the end of it. So a process that prints much neither
/// waits nor takes memory.
final class LastWords: Sendable {
    private static let limit = 2048
    private let bytes = Mutex<[UInt8]>([])

    /// Makes a pipe whose reading end the loop reads. Returns the end for the process.
    func pipe(on loop: EventLoop) throws(InfrastructureError) -> Descriptor {
        var pair: [Int32] = [-1, -1]
        guard clinux_pipe(&pair) == 0, let reader = Descriptor(owning: pair[0]),
            let writer = Descriptor(owning: pair[1])
        else {
            throw InfrastructureError(.unavailable, "A pipe cannot be made: \(systemMessage(errno))")
        }
        let token = loop.watch(reader) { [self] token in
            if !read(from: reader) { loop.unwatch(reader, token) }
        }
        guard token != nil else {
            throw InfrastructureError(.unavailable, "A pipe cannot be watched: \(systemMessage(errno))")
        }
        return writer
    }

    /// Reads what is there; `false` at the end.
    private func read(from reader: Descriptor) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(reader.raw, &chunk, chunk.count)
        guard count > 0 else { return count < 0 && (errno == EAGAIN || errno == EINTR) }
        bytes.withLock { $0 = Array(($0 + chunk[..<count]).suffix(Self.limit)) }
        return true
    }

    /// The last line; `nil` if nothing was printed.
    var text: String? {
        let bytes = bytes.withLock { $0 }
        return OutputFollower.lastLines(of: bytes, isCut: bytes.count >= Self.limit, count: 1)
    }
}
