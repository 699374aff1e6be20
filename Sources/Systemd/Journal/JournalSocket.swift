internal import Glibc

/// The socket by which the journal takes entries. Unlike `sd_journal_send(3)` it can be asked not to wait: a journal that
/// stands still must not hold up the worker.
public struct JournalSocket: Sendable, Hashable {
    /// What became of an entry.
    public enum Outcome: Sendable, Hashable {
        case sent
        /// There was no room in time.
        case full
        /// The journal does not take it: it is too large, or there is no journal at the moment.
        case refused
    }

    private let descriptor: Int32
    private let path: String

    /// Where the journal listens.
    public static let standardPath = "/run/systemd/journal/socket"

    /// A socket for the journal at a path; `nil` where the system gives none. It stays open until the process ends.
    public init?(path: String = standardPath) {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        self.path = path
        // An entry is one datagram; this is as much as is had without privileges.
        var size: Int32 = 8 << 20
        setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Whether a descriptor of this process leads to the journal, as systemd connects those of services
    /// (`JOURNAL_STREAM`).
    public static func receives(_ descriptor: Int32) -> Bool {
        guard let text = getenv("JOURNAL_STREAM").map({ String(cString: $0) }) else { return false }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return false }
        return text == "\(status.st_dev):\(status.st_ino)"
    }

    /// Sends an entry, waiting at most so many milliseconds for room.
    public func send(_ entry: [UInt8], waitingUpTo milliseconds: Int32) -> Outcome {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { buffer in
            guard path.utf8.count < buffer.count else { return false }
            buffer.copyBytes(from: path.utf8)
            return true
        }
        guard fits else { return .refused }
        var waited: Int32 = 0
        while true {
            // Not connected: the journal may be restarted, and is then another one.
            let count = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    sendto(
                        descriptor, entry, entry.count, Int32(MSG_NOSIGNAL), address,
                        socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            if count >= 0 { return .sent }
            switch errno {
            case EINTR: continue
            case EAGAIN, ENOBUFS:
                guard waited < milliseconds else { return .full }
                // A socket that is not connected is always ready: there is nothing to poll for.
                waited += 10
                usleep(10_000)
            default: return .refused
            }
        }
    }
}
