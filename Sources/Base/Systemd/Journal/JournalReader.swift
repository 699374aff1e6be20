internal import CSystemd
internal import Glibc

/// Reads the entries of this host's journal that this user may read. Mirrors `sd-journal(3)`. Only one thread uses it,
/// and it may block that thread.
package final class JournalReader {
    private let journal: OpaquePointer

    /// Opens the journal for the entries that have all these fields, like `_SYSTEMD_UNIT=x.service`. Returns `nil` when
    /// the journal cannot be opened.
    package init?(matches: [String]) {
        var opened: OpaquePointer?
        guard sd_journal_open(&opened, Int32(SD_JOURNAL_LOCAL_ONLY)) >= 0, let opened else { return nil }
        journal = opened
        for match in matches {
            guard match.utf8CString.withUnsafeBytes({ sd_journal_add_match(opened, $0.baseAddress, 0) }) >= 0 else {
                return nil
            }
        }
    }

    deinit { sd_journal_close(journal) }

    /// Moves before the first entry that the journal received at a time or later, in microseconds since 1970.
    package func seek(toTime time: UInt64) { sd_journal_seek_realtime_usec(journal, time) }

    /// Moves behind the last entry.
    private func seekToEnd() { sd_journal_seek_tail(journal) }

    /// Moves to the entry of a cursor, or next to its former position.
    package func seek(to cursor: String) { sd_journal_seek_cursor(journal, cursor) }

    /// The position of the current entry.
    package var cursor: String? {
        var text: UnsafeMutablePointer<CChar>?
        guard sd_journal_get_cursor(journal, &text) >= 0, let text else { return nil }
        defer { free(text) }
        return String(cString: text)
    }

    /// Waits until the journal may have new entries, or until another descriptor is readable. Returns `false` when
    /// waiting is not possible.
    package func wait(orFor descriptor: Int32) -> Bool {
        let own = sd_journal_get_fd(journal)
        let wanted = sd_journal_get_events(journal)
        guard own >= 0, wanted >= 0 else { return false }
        var polled = [
            pollfd(fd: own, events: Int16(truncatingIfNeeded: wanted), revents: 0),
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        ]
        // Some file systems do not report changes.
        _ = poll(&polled, 2, sd_journal_reliable_fd(journal) > 0 ? -1 : 1000)
        return sd_journal_process(journal) >= 0
    }

    /// Moves to the previous entry; returns whether it exists.
    package func previous() -> Bool { sd_journal_previous(journal) > 0 }

    /// Moves to the next entry; returns whether it exists.
    package func next() -> Bool { sd_journal_next(journal) > 0 }

    /// Returns a field of the current entry. Bytes that are not valid text are replaced.
    package func field(_ name: String) -> String? {
        var data: UnsafeRawPointer?
        var length = 0
        guard sd_journal_get_data(journal, name, &data, &length) >= 0, let data, length > name.utf8.count else {
            return nil
        }
        let bytes = UnsafeRawBufferPointer(start: data, count: length)
        return String(decoding: bytes.dropFirst(name.utf8.count + 1), as: UTF8.self)
    }

    /// Returns the last messages, oldest first: at most `count` of them, and about `size` bytes.
    package func lastMessages(_ count: Int, size: Int) -> [String] {
        var messages: [String] = []
        var total = 0
        seekToEnd()
        while messages.count < count, total < size, previous() {
            guard let message = field("MESSAGE") else { continue }
            messages.append(message)
            total += message.utf8.count
        }
        return messages.reversed()
    }
}
