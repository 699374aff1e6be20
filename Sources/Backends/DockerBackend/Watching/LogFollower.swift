internal import BackendKit
internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectREST

/// Prints a container's output, and continues at the same position when the connection to the Engine breaks.
final class LogFollower: Sendable {
    let engine: EngineClient
    let availability: InfrastructureAvailability
    /// Whether the container has ended.
    let hasEnded: ObservedValue<Bool>
    let output: OutputPrinter
    let errors: OutputPrinter
    let container: String
    let containerName: String
    let flowRunID: String
    let flowRunName: String
    let hasTTY: Bool
    /// The mark of the output.
    let mark: OutputMark
    /// The position from which the output is printed.
    let start: OutputPosition

    init(
        engine: EngineClient, availability: InfrastructureAvailability, hasEnded: ObservedValue<Bool>,
        output: OutputPrinter, errors: OutputPrinter, container: String, containerName: String, flowRunID: String,
        flowRunName: String, hasTTY: Bool, mark: OutputMark, start: OutputPosition
    ) {
        self.engine = engine
        self.availability = availability
        self.hasEnded = hasEnded
        self.output = output
        self.errors = errors
        self.container = container
        self.containerName = containerName
        self.flowRunID = flowRunID
        self.flowRunName = flowRunName
        self.hasTTY = hasTTY
        self.mark = mark
        self.start = start
    }

    /// Prints until the container has ended, its log cannot be read, or the task is cancelled. Reports why the log
    /// cannot be read.
    ///
    /// An Engine may end the stream before it has sent the last bytes. So the log is read again until it contains
    /// nothing new.
    func run(reportingTo reporter: any JobReporter) async {
        let reading = Reading(from: start, mark: mark)
        while !Task.isCancelled {
            reading.begin(hasTTY: hasTTY)
            do {
                try await follow(reading)
            } catch {
                guard mayContinue(after: error, reporter) else { break }
                try? await inChildTask { await self.pause() }
                continue
            }
            if reading.wasAtEnd, !reading.hasAdvanced { break }
            // The log of a running container may end, too, for example when the Engine restarts.
            try? await inChildTask { await self.hasEnded.wait(by: .now + .milliseconds(500)) { $0 } }
            reading.wasAtEnd = hasEnded.value
        }
        reading.end()
    }

    /// The state of a reading. The task of the follower waits for long and keeps the memory of its deepest call. An
    /// object keeps large values out of that memory.
    private final class Reading {
        private(set) var position: OutputPosition
        /// Whether the container had ended before the log was read last.
        var wasAtEnd = false
        private var before: OutputPosition
        private var decoder = LogDecoder(hasTTY: false)
        private var mark: OutputMark

        init(from start: OutputPosition, mark: OutputMark) { (position, before, self.mark) = (start, start, mark) }

        /// Begins to read the log from the current position.
        func begin(hasTTY: Bool) {
            position.resume()
            before = position
            decoder = LogDecoder(hasTTY: hasTTY)
        }

        /// Whether something new was read since the reading began.
        var hasAdvanced: Bool { position.text != before.text }

        @inline(never)
        func records(_ portion: [UInt8]) throws -> [LogRecord] { try decoder.decode(portion) }

        @inline(never)
        func lastRecord() -> [LogRecord] { decoder.finish().map { [$0] } ?? [] }

        @inline(never)
        func advance(_ printed: Printed) throws {
            position = printed.position
            mark.advance(to: position)
            if !printed.isComplete { throw CancellationError() }
        }

        /// Ends the reading.
        func end() { mark.end(at: position) }
    }

    private func pause() async {
        try? await Task.sleep(for: .milliseconds(500))
        await availability.waitUntilAvailable()
    }

    @inline(never)
    private func mayContinue(after error: any Error, _ reporter: any JobReporter) -> Bool {
        guard let error = error as? EngineError else { return false }
        if error.isTransient { return true }
        // A removed container has no further output. A log that is stored elsewhere cannot be read.
        if !error.isNotFound {
            reporter.log(.warning, "The output of container '\(containerName)' cannot be printed: \(error.message)")
        }
        return false
    }

    private func follow(_ reading: Reading) async throws {
        let body = try await engine.followLogs(of: container, since: reading.position.time)
        do {
            for try await portion in body {
                try await print(reading.records(portion), reading)
            }
            try await print(reading.lastRecord(), reading)
        } catch {
            throw engineError(error)
        }
    }

    @inline(never)
    private func engineError(_ error: any Error) -> any Error {
        switch error {
        case let error as TransportError:
            error.kind == .cancelled ? CancellationError() : EngineError(error, operation: "read logs")
        case is LogDecoder.Malformed:
            EngineError(.malformed, operation: "read logs", message: "the stream is not from a Docker Engine")
        default: error
        }
    }

    /// The position of the last record that was printed.
    private struct Printed: Sendable {
        var position: OutputPosition
        /// Whether all records were printed. They were not if the task was cancelled.
        var isComplete = true
    }

    private func print(_ records: [LogRecord], _ reading: Reading) async throws {
        guard !records.isEmpty else { return }
        let start = reading.position
        try reading.advance(await inChildTask { await self.print(records, after: start) })
    }

    /// Prints the records that are new.
    private func print(_ records: [LogRecord], after start: OutputPosition) async -> Printed {
        // Consecutive records of one stream are written together, in the order in which they were written.
        var batch: (stream: LogRecord.Stream, bytes: [UInt8]) = (.output, [])
        var (printed, reached) = (start, start)
        for record in records {
            let before = reached
            guard reached.admits(record.time) else { continue }
            if record.stream != batch.stream {
                guard await write(batch) else { return Printed(position: printed, isComplete: false) }
                printed = before
                batch = (record.stream, [])
            }
            batch.bytes += record.bytes
        }
        guard await write(batch) else { return Printed(position: printed, isComplete: false) }
        return Printed(position: reached)
    }

    /// Returns `false` when the task was cancelled before all bytes were written.
    private func write(_ batch: (stream: LogRecord.Stream, bytes: [UInt8])) async -> Bool {
        guard !batch.bytes.isEmpty else { return true }
        let stream = batch.stream == .output ? OutputSource.Stream.output : .errors
        let source = OutputSource(flowRunID: flowRunID, flowRunName: flowRunName, stream: stream)
        return await (stream == .output ? output : errors).print(batch.bytes, of: source)
    }
}
