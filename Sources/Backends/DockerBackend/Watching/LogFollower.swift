internal import BackendKit
internal import Concurrency
internal import HTTPTransport
internal import RESTClient

/// Prints a container's output, and continues at the same position when the connection to the Engine breaks.
struct LogFollower: Sendable {
    let engine: EngineClient
    let availability: InfrastructureAvailability
    /// Whether the container has ended.
    let hasEnded: ObservedValue<Bool>
    let output: OutputPrinter
    let errors: OutputPrinter
    let container: String
    let flowRunID: String
    let flowRunName: String
    let hasTTY: Bool
    let marks: OutputMarks

    /// The minimum time between two records of the printed position.
    private static let markInterval = Duration.seconds(1)

    /// Prints from a position on until the container has ended, its log cannot be read, or the task is cancelled.
    /// Returns the reason why the log cannot be read; otherwise `nil`.
    ///
    /// An Engine may end the stream before it has sent the last bytes. So the log is read again until it contains
    /// nothing new.
    func run(from start: OutputPosition) async -> EngineError? {
        var position = start
        var wasReadAtEnd = false
        defer { marks.set(position, of: container) }
        while !Task.isCancelled {
            do {
                position.resume()
                let before = position.text
                try await follow(&position)
                if wasReadAtEnd, position.text == before { return nil }
                // The log of a running container may end, too, for example when the Engine restarts.
                await raceOf({ await hasEnded.wait { $0 } }, { try? await Task.sleep(for: .milliseconds(500)) })
                wasReadAtEnd = hasEnded.value
                continue
            } catch let error as EngineError {
                // A removed container has no further output. A log that is stored elsewhere cannot be read.
                if error.isNotFound { return nil }
                if !error.isTransient { return error }
            } catch {
                return nil
            }
            try? await Task.sleep(for: .milliseconds(500))
            await availability.waitUntilAvailable()
        }
        return nil
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

    private func print(_ records: [LogRecord], _ position: inout OutputPosition) async throws {
        // Consecutive records of one stream are written together, in the order in which they were written.
        var batch: (stream: LogRecord.Stream, bytes: [UInt8]) = (.output, [])
        var reached = position
        for record in records where reached.admits(record.time) {
            if record.stream != batch.stream {
                await write(batch)
                batch = (record.stream, [])
            }
            batch.bytes += record.bytes
        }
        await write(batch)
        // After a cancellation the position stays unchanged: output may be printed twice, but none is lost.
        try Task.checkCancellation()
        position = reached
    }

    private func write(_ batch: (stream: LogRecord.Stream, bytes: [UInt8])) async {
        guard !batch.bytes.isEmpty else { return }
        let stream = batch.stream == .output ? OutputSource.Stream.output : .errors
        let source = OutputSource(flowRunID: flowRunID, flowRunName: flowRunName, stream: stream)
        await (stream == .output ? output : errors).print(batch.bytes, of: source)
    }
}
