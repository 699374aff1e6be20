internal import Glibc
internal import Systemd

/// The reader of the log. One thread passes it one line at a time, however long that takes.
enum LogReader {
    /// Writes all bytes to a descriptor, which is neither closed nor changed. Returns `false` when the descriptor
    /// refuses them (no reader, no space).
    static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var written = 0
        while written < bytes.count {
            let result = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if result >= 0 {
                written += result
            } else if errno == EAGAIN {
                var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                Glibc.poll(&poll, 1, 1000)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }

    /// Sends an entry to the journal; returns `false` when the journal does not take it.
    static func send(_ entry: [UInt8], to journal: JournalSocket) -> Bool {
        while true {
            switch journal.send(entry, waitingUpTo: 1000) {
            case .sent: return true
            case .refused: return false
            case .full: continue
            }
        }
    }
}
