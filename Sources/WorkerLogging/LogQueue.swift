/// Lines on their way to a reader that may be slow, stuck or gone. Adding a line never waits for the
/// reader: one thread of its own does that. What does not fit is counted, and the count is written in its place.
final class LogQueue: Sendable {
    private struct Entry {
        var bytes: [UInt8]
        /// How many lines were lost just before this one.
        var lostBefore = 0
    }

    private struct State {
        var entries: [Entry] = []
        /// Bytes that are queued or being written.
        var bytes = 0
        var added = 0
        var handled = 0
        /// Lost and not yet reported.
        var lost = 0
        var lostInTotal = 0
        /// Set while there is no room. Lines are taken again when half of the queue is free, so that a reader who is a
        /// little too slow gets stretches of the log instead of a line and a loss in turn.
        var isFull = false
        /// Set when lines were lost for want of room, until the next line or the end of the queue tells of it.
        var owesReport = false
        var isClosed = false
    }

    private let take: @Sendable ([UInt8]) -> Bool
    private let capacity: Int
    private let lossReport: @Sendable (Int) -> [UInt8]
    private let state = Monitor(State())

    /// - Parameters:
    ///   - take: Hands on a line, however long it takes; `false` when nobody takes it. Called by the thread.
    ///   - capacity: How many bytes may wait.
    ///   - lossReport: The line that says how many lines were lost.
    init(
        capacity: Int, take: @escaping @Sendable ([UInt8]) -> Bool, lossReport: @escaping @Sendable (Int) -> [UInt8]
    ) {
        self.take = take
        self.capacity = capacity
        self.lossReport = lossReport
    }

    /// How many lines were lost since the start.
    var lostLines: Int { state.withLock { $0.lostInTotal } }

    /// Adds a line, or counts it as lost when there is no room.
    func add(_ line: [UInt8]) {
        state.withLock { state in
            guard !state.isClosed else { return }
            guard !state.isFull, state.bytes + line.count <= capacity else {
                // A line that would not fit even into an empty queue does not make it a full one.
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

    /// Waits until all that was added before has been written or given up; `false` when `limit` passes first.
    func flush(within limit: Duration) -> Bool {
        // A report that is still owed comes as one more entry.
        let target = state.withLock { $0.added + ($0.owesReport ? 1 : 0) }
        return state.wait(atMost: limit) { $0.handled >= target ? true : nil } ?? false
    }

    /// No more lines are taken; the thread writes what is queued and ends.
    func close() {
        state.withLock { $0.isClosed = true }
    }

    /// What the thread does until the queue is closed and empty.
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
                // Everything is out, so the loss is told without waiting for the next line.
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
