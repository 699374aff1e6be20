/// Writes the output of runs to a sink, one portion after the other, so that no portion interrupts another. Callers
/// wait while the sink accepts nothing; the output that they have not read stays at its source.
public actor OutputPrinter {
    private let sink: any OutputSink
    private var isBusy = false
    private var isBroken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// A printer for a sink.
    public init(sink: any OutputSink) { self.sink = sink }

    /// Writes all bytes. A broken sink discards them. Returns `false` when the task was cancelled before all bytes were
    /// written: then they have to be printed again.
    public func print(_ bytes: [UInt8], of source: OutputSource) async -> Bool {
        if isBusy {
            await withCheckedContinuation { waiting.append($0) }
        } else {
            isBusy = true
        }
        var rest = bytes[...]
        while !rest.isEmpty, !isBroken, !Task.isCancelled {
            guard let count = sink.write(rest, of: source, waitingUpTo: .zero) else {
                isBroken = true
                break
            }
            rest = rest.dropFirst(count)
            if count == 0 { try? await Task.sleep(for: .milliseconds(20)) }
        }
        // The next caller in the queue continues.
        if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() }
        return rest.isEmpty || isBroken
    }
}
