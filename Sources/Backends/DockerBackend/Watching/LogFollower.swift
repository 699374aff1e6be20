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
    let marks: OutputMarks
    /// The position from which the output is printed.
    let start: OutputPosition

    init(
        engine: EngineClient, availability: InfrastructureAvailability, hasEnded: ObservedValue<Bool>,
        output: OutputPrinter, errors: OutputPrinter, container: String, containerName: String, flowRunID: String,
        flowRunName: String, hasTTY: Bool, marks: OutputMarks, start: OutputPosition
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
        self.marks = marks
        self.start = start
    }

    /// The minimum time between two records of the printed position.
    private static let markInterval = Duration.seconds(1)

    /// Prints until the container has ended, its log cannot be read, or the task is cancelled. Reports why the log
    /// cannot be read.
    ///
    /// An Engine may end the stream before it has sent the last bytes. So the log is read again until it contains
    /// nothing new.
    func run(reportingTo reporter: any JobReporter) async {
        var position = start
        var wasReadAtEnd = false
        defer { marks.set(position, of: container) }
        while !Task.isCancelled {
            position.resume()
            let before = position
            do {
                try await follow(&position)
            } catch {
                guard mayContinue(after: error, reporter) else { return }
                try? await Task.sleep(for: .milliseconds(500))
                await availability.waitUntilAvailable()
                continue
            }
            if wasReadAtEnd, position.text == before.text { return }
            // The log of a running container may end, too, for example when the Engine restarts.
            await hasEnded.wait(by: .now + .milliseconds(500)) { $0 }
            wasReadAtEnd = hasEnded.value
        }
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

    private func follow(_ position: inout OutputPosition) async throws {
        var decoder = LogDecoder(hasTTY: hasTTY)
        var lastMark = ContinuousClock.now
        let body = try await engine.followLogs(of: container, since: position.time)
        do {
            for try await portion in body {
                try await print(decoder.decode(portion), &position)
                if ContinuousClock.now - lastMark >= Self.markInterval {
                    lastMark = .now
                    marks.set(position, of: container)
                }
            }
            if let last = decoder.finish() { try await print([last], &position) }
        } catch let error as TransportError {
            if error.kind == .cancelled { throw CancellationError() }
            throw EngineError(error, operation: "read logs")
        } catch is LogDecoder.Malformed {
            throw EngineError(.malformed, operation: "read logs", message: "the stream is not from a Docker Engine")
        }
    }

    /// Prints the records that are new. After a cancellation the position is that of the last record that was printed.
    private func print(_ records: [LogRecord], _ position: inout OutputPosition) async throws {
        // Consecutive records of one stream are written together, in the order in which they were written.
        var batch: (stream: LogRecord.Stream, bytes: [UInt8]) = (.output, [])
        var reached = position
        for record in records {
            let before = reached
            guard reached.admits(record.time) else { continue }
            if record.stream != batch.stream {
                try await write(batch)
                position = before
                batch = (record.stream, [])
            }
            batch.bytes += record.bytes
        }
        try await write(batch)
        position = reached
    }

    private func write(_ batch: (stream: LogRecord.Stream, bytes: [UInt8])) async throws {
        guard !batch.bytes.isEmpty else { return }
        let stream = batch.stream == .output ? OutputSource.Stream.output : .errors
        let source = OutputSource(flowRunID: flowRunID, flowRunName: flowRunName, stream: stream)
        guard await (stream == .output ? output : errors).print(batch.bytes, of: source) else {
            throw CancellationError()
        }
    }
}
