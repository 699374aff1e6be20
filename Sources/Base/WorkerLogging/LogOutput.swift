internal import Glibc
internal import Logging
internal import PrefectConcurrency

/// The only path to standard error. It renders, redacts, queues and writes log lines.
///
/// Logging never waits for the reader of the log. Lines go into a queue of limited size, which a separate thread
/// empties. Lines that do not fit are counted, and the count is logged once the queue has room again. A reader that has
/// gone (`EPIPE`), a full disk or a descriptor in non-blocking mode can cost lines, but never the process.
///
/// The thread ends when the output is released.
package final class LogOutput: Sendable {
    private let formatter: LogFormatter
    private let queue: LogQueue

    /// - Parameters:
    ///   - descriptor: The destination of the lines, which is standard error except in tests. The caller still owns it.
    ///   - format: The format of the lines.
    ///   - capacity: The number of bytes that may wait to be written: 4 MiB.
    ///   - redact: Removes the secrets from a text. It is applied to each message, logger name and metadata text before
    ///     these are escaped, on the thread that logs. It must not log itself.
    /// - Throws: ``LogOutputError`` when the thread cannot be started.
    package init(
        descriptor: Int32 = 2, format: LogFormat, capacity: Int = 4 << 20,
        redact: @escaping @Sendable (String) -> String = { $0 }
    ) throws {
        tzset()
        let formatter = LogFormatter(format: format, redact: redact)
        let take: @Sendable ([UInt8]) -> Bool
        let reader: String
        if case .journal(let journal) = format {
            (take, reader) = ({ LogReader.send($0, to: journal) }, "the journal")
        } else {
            (take, reader) = ({ LogReader.write($0, to: descriptor) }, "standard error")
        }
        let queue = LogQueue(capacity: capacity, take: take) { count in
            let lines = count == 1 ? "1 log line was" : "\(count) log lines were"
            return formatter.line(
                LogRecord(
                    level: .warning, logger: "prefect.logging",
                    message: "\(lines) lost because \(reader) was blocked."))
        }
        // The thread holds only the queue, because the release of the output ends the thread.
        let status = startThread("log") { queue.drain() }
        guard status == 0 else { throw LogOutputError(cause: String(cString: strerror(status))) }
        self.formatter = formatter
        self.queue = queue
    }

    deinit { queue.close() }

    /// Logs a record of any level.
    package func write(_ record: LogRecord) {
        queue.add(formatter.line(record))
    }

    /// Waits until everything logged so far is written, for the end of the process. Blocks the calling thread.
    ///
    /// - Returns: Whether it was written, or refused by the descriptor, within `limit`.
    @discardableResult
    package func flush(within limit: Duration) -> Bool {
        queue.flush(within: limit)
    }

    /// The number of lines lost since the start, because the queue was full or the descriptor refused them.
    package var lostLines: Int { queue.lostLines }
}

/// Logging could not be started.
package struct LogOutputError: Error, CustomStringConvertible {
    /// The cause that the system reported.
    package let cause: String

    /// One line for the user.
    package var description: String {
        "Logging cannot start because the system refuses a thread (\(cause)). Raise the limit of processes (ulimit -u)."
    }
}
