/// Lines on their way to a reader that may be slow, blocked or gone. Adding a line never waits for the reader, because
/// a separate thread writes the lines. Lines that do not fit are counted, and the count is written in their place.
final class LogQueue: Sendable {
    private struct Entry {
        var bytes: [UInt8]
        /// The number of lines that were lost just before this one.
        var lostBefore = 0
    }

    private struct State {
        var entries: [Entry] = []
        /// Bytes that are queued or being written.
        var bytes = 0
        var added = 0
        var handled = 0
        /// The number of lost lines that have not been reported yet.
        var lost = 0
        var lostInTotal = 0
        /// Set while the queue is full. The queue takes lines again when half of it is free. So a reader that is
        /// slightly too slow gets stretches of the log, instead of lines and losses in turn.
        var isFull = false
        /// Set when lines were lost because the queue was full. Cleared when the next line is added, or when the queue
        /// is empty and the loss is reported.
        var owesReport = false
        var isClosed = false
    }

    private let take: @Sendable ([UInt8]) -> Bool
    private let capacity: Int
    private let lossReport: @Sendable (Int) -> [UInt8]
    private let state = Monitor(State())

    /// - Parameters:
    ///   - take: Passes on a line, however long that takes; returns `false` when the reader refuses it. The thread
    ///     calls it.
    ///   - capacity: The number of bytes that may wait.
    ///   - lossReport: Makes the line that reports how many lines were lost.
    init(
        capacity: Int, take: @escaping @Sendable ([UInt8]) -> Bool, lossReport: @escaping @Sendable (Int) -> [UInt8]
    ) {
        self.take = take
        self.capacity = capacity
        self.lossReport = lossReport
    }

    /// The number of lines lost since the start.
    var lostLines: Int { state.withLock { $0.lostInTotal } }

    /// Adds a line, or counts it as lost when the queue is full.
    func add(_ line: [UInt8]) {
        state.withLock { state in
            guard !state.isClosed else { return }
            guard !state.isFull, state.bytes + line.count <= capacity else {
                // A line that exceeds even an empty queue does not make the queue full.
                if line.count <= capacity { state.isFull = true }
                state.lost += 1
                state.lostInTotal += 1
                state.owesReport = true
                return
            }
            state.entries.append(Entry(bytes: line, lostBefore: state.lost))
            state.lost = 0
            state.owesReport = false
            state.bytes += line.count
            state.added += 1
        }
    }

    /// Waits until all lines added before have been written or given up. Returns `false` when `limit` passes first.
    func flush(within limit: Duration) -> Bool {
        // A loss report that is still due is one more entry.
        let target = state.withLock { $0.added + ($0.owesReport ? 1 : 0) }
        return state.wait(atMost: limit) { $0.handled >= target ? true : nil } ?? false
    }

    /// Closes the queue for further lines. The thread writes the queued lines and ends.
    func close() {
        state.withLock { $0.isClosed = true }
    }

    /// Writes lines until the queue is closed and empty. The thread runs it.
    func drain() {
        while let entries = nextEntries() {
            for entry in entries { write(entry) }
        }
    }

    private func nextEntries() -> [Entry]? {
        state.wait { state -> [Entry]?? in
            if !state.entries.isEmpty {
                defer { state.entries = [] }
                return state.entries
            }
            if state.owesReport {
                // All lines are written, so the loss is reported without waiting for the next line.
                defer {
                    state.owesReport = false
                    state.lost = 0
                    state.added += 1
                }
                return [Entry(bytes: [], lostBefore: state.lost)]
            }
            return state.isClosed ? .some(nil) : nil
        } ?? nil
    }

    private func write(_ entry: Entry) {
        var lost = 0
        if entry.lostBefore > 0, !take(lossReport(entry.lostBefore)) { lost = entry.lostBefore }
        let isWritten = entry.bytes.isEmpty || take(entry.bytes)
        state.withLock { state in
            if !isWritten { state.lostInTotal += 1 }
            state.lost += lost + (isWritten ? 0 : 1)
            state.bytes -= entry.bytes.count
            state.handled += 1
            if state.bytes <= capacity / 2 { state.isFull = false }
        }
    }
}
