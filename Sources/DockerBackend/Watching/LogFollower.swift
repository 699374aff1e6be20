internal import HTTPTransport
internal import Worker

/// Prints what a container writes, and goes on where it was when the connection to the Engine broke.
struct LogFollower: Sendable {
    let engine: EngineClient
    let watcher: EngineWatcher
    let output: OutputPrinter
    let errors: OutputPrinter
    let container: String
    let flowRunID: String
    let flowRunName: String
    let hasTTY: Bool
    let marks: OutputMarks

    /// How often it is noted how far the output has been printed.
    private static let markInterval = Duration.seconds(1)

    /// Prints from a position on until the container has ended, its log cannot be read, or the task is cancelled. Returns why
    /// it cannot be read.
    ///
    /// An Engine may end the stream before it has sent the last bytes. So the log is read further after that, until it
    /// has nothing new.
    func run(from start: OutputPosition) async -> EngineError? {
        var position = start
        var hasEnded = false
        defer { marks.set(position, of: container) }
        while !Task.isCancelled {
            do {
                position.resume()
                let before = position.text
                try await follow(&position)
                if hasEnded, position.text == before { return nil }
                hasEnded = true
                continue
            } catch let error as EngineError {
                // What was removed has nothing more to say; a log that is kept elsewhere cannot be read.
                if error.isNotFound { return nil }
                if !error.isTransient { return error }
            } catch {
                return nil
            }
            try? await Task.sleep(for: .milliseconds(500))
            await watcher.trouble.waitUntilOver()
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
            throw EngineError(.malformed, operation: "read logs", message: "the stream is none of an Engine's")
        }
    }

    private func print(_ records: [LogRecord], _ position: inout OutputPosition) async throws {
        // As much as there is at a time, in the order in which it was written.
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
        // Rather twice than not at all.
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
