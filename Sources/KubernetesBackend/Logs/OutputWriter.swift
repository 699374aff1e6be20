internal import Worker

/// Writes the output of all pods to one sink, a line at a time, so that none is torn apart by another's.
actor OutputWriter {
    private let sink: any OutputSink
    private var isBroken = false
    private var isWriting = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(sink: any OutputSink) { self.sink = sink }

    /// Writes a line; waits while the sink has no room, unless the task is cancelled.
    func write(_ line: [UInt8]) async {
        while isWriting { await withCheckedContinuation { waiting.append($0) } }
        isWriting = true
        defer {
            isWriting = false
            let next = waiting
            waiting = []
            for writer in next { writer.resume() }
        }
        var rest = line[...]
        while !rest.isEmpty, !isBroken, !Task.isCancelled {
            switch sink.write(rest, waitingUpTo: .zero) {
            case nil: isBroken = true
            case 0?: try? await Task.sleep(for: .milliseconds(10))
            case let count?: rest = rest.dropFirst(count)
            }
        }
    }
}
