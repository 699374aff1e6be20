public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectConcurrency
internal import PrefectJSON

extension APIClient {
    /// Follows the logs of a flow run until the run has ended.
    ///
    /// ```swift
    /// for try await line in client.followLogs(ofFlowRun: run.id) { print(line.message) }
    /// ```
    ///
    /// Lines are returned once, in the order of their times. A line that the API receives late follows later lines. The
    /// sequence keeps one page of lines in memory, and the ids of the last 10,000 to 20,000 lines.
    ///
    /// - Parameters:
    ///   - minimumLevel: The least level of the lines, such as 30 for warnings; `nil` means all lines.
    ///   - grace: The time without a new line after which the sequence ends, once the run has ended. Prefect sends logs
    ///     every two seconds, also after the end of a run.
    public func followLogs(
        ofFlowRun id: UUID, minimumLevel: Int? = nil, grace: Duration = .seconds(4)
    ) -> FlowRunLogs {
        FlowRunLogs(client: self, flowRunID: id, minimumLevel: minimumLevel, grace: grace)
    }
}

/// The logs of a flow run, from the first line to the end of the run. Made by
/// ``APIClient/followLogs(ofFlowRun:minimumLevel:grace:)``.
public struct FlowRunLogs: AsyncSequence, Sendable {
    /// A line of the logs.
    public typealias Element = Log

    fileprivate let client: APIClient
    fileprivate let flowRunID: UUID
    fileprivate let minimumLevel: Int?
    fileprivate let grace: Duration

    /// Makes an iterator, which reads from the first line.
    public func makeAsyncIterator() -> Iterator { Iterator(logs: self) }

    /// Reads the lines.
    public struct Iterator: AsyncIteratorProtocol {
        private let logs: FlowRunLogs
        private var cursor = LogCursor()
        private var page: [Log] = []
        private var index = 0
        private var isAtEnd = false
        /// The size of a read. The first line of a read is known already, so it is at least 2.
        private var size = 200
        /// The number of reads without a new line.
        private var idleReads = 0
        /// When the iterator last returned a line.
        private var lastLine = ContinuousClock.now
        /// The state of the run, as far as it is known.
        private var run: FlowRun?
        private var end: ContinuousClock.Instant?

        fileprivate init(logs: FlowRunLogs) { self.logs = logs }

        /// The next line; `nil` after the end of the run.
        ///
        /// - Throws: ``APIError`` for an unknown or deleted run, or when the first read fails. A later temporary failure
        ///   ends nothing. `CancellationError` when the task is cancelled.
        public mutating func next() async throws -> Log? {
            while index == page.count {
                guard !isAtEnd else { return nil }
                try Task.checkCancellation()
                page = []
                index = 0
                do {
                    try await advance()
                } catch let error as APIError where error.isTooLarge && size > 2 {
                    size = Swift.max(2, size / 2)
                } catch let error as APIError where error.isTransient && !error.isTooLarge && run != nil {
                    try await pause()
                }
            }
            defer { index += 1 }
            return page[index]
        }

        /// Reads once. When nothing is new, it pauses or notes the end.
        private mutating func advance() async throws {
            // The run is read before its lines, so the lines of an ended run are complete but for late ones.
            if end == nil {
                let run = try await logs.client.readFlowRun(id: logs.flowRunID)
                self.run = run
                if run.isFinished { end = .now }
            }
            let lines = try await read()
            guard let new = cursor.take(lines.map(\.id), goingBack: size - 1) else { return }
            page = new.map { lines[$0] }
            if !page.isEmpty {
                idleReads = 0
                lastLine = .now
            } else if lines.count == size {
                // All of these lines are known after a step back. More follow.
            } else if let end, isQuiet(since: end) {
                isAtEnd = true
            } else {
                try await pause()
            }
        }

        /// Whether no further line is expected.
        private func isQuiet(since end: ContinuousClock.Instant) -> Bool {
            // The run ended long before it was first read.
            if let time = run?.endTime, time < Timestamp.now.adding(seconds: -300) { return true }
            return ContinuousClock.now - Swift.max(end, lastLine) >= logs.grace
        }

        private mutating func pause() async throws {
            idleReads += 1
            let pauses = Backoff(from: .milliseconds(250), to: .seconds(2))
            try await logs.client.pause(pauses.pause(afterFailures: idleReads))
        }

        private func read() async throws -> [Log] {
            let filter = LogFilter(
                level: logs.minimumLevel.map { .atLeast($0) }, flowRunID: .equals(logs.flowRunID))
            return try await logs.client.readLogs(logs: filter, limit: size, offset: cursor.offset)
        }
    }
}
