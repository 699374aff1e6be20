internal import Glibc

/// The socket through which the journal takes entries. Unlike `sd_journal_send(3)`, it can send without waiting, so
/// that a blocked journal does not block the worker.
package struct JournalSocket: Sendable, Hashable {
    /// The result of sending an entry.
    package enum Outcome: Sendable, Hashable {
        case sent
        /// The socket had no room in time.
        case full
        /// The journal does not take the entry: the entry is too large, or the journal is not available at the moment.
        case refused
    }

    private let descriptor: Int32
    private let path: String

    /// The path of the journal's socket.
    package static let standardPath = "/run/systemd/journal/socket"

    /// Makes a socket for the journal at a path; returns `nil` when the system provides no socket. The socket stays
    /// open until the process ends.
    package init?(path: String = standardPath) {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        self.path = path
        // An entry is one datagram. The kernel reduces the size to what is allowed without privileges.
        var size: Int32 = 8 << 20
        setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Whether a descriptor of this process leads to the journal, as systemd connects those of services
    /// (`JOURNAL_STREAM`).
    package static func receives(_ descriptor: Int32) -> Bool {
        guard let text = getenv("JOURNAL_STREAM").map({ String(cString: $0) }) else { return false }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return false }
        return text == "\(status.st_dev):\(status.st_ino)"
    }

    /// Sends an entry. Waits for room, at most for the given number of milliseconds.
    package func send(_ entry: [UInt8], waitingUpTo milliseconds: Int32) -> Outcome {
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
            // The socket is not connected, because a restarted journal has another socket.
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
                // An unconnected socket is always ready, so that polling it is of no use.
                waited += 10
                usleep(10_000)
            default: return .refused
            }
        }
    }
}
