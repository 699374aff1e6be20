internal import Worker

/// Writes what containers print to a sink, one portion after the other. Whoever prints waits for a sink that takes nothing:
/// the Engine keeps what is not fetched.
actor OutputPrinter {
    private let sink: any OutputSink
    private var isBusy = false
    private var isBroken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(sink: any OutputSink) { self.sink = sink }

    /// Writes all of it, unless the sink is broken or the task is cancelled.
    func print(_ bytes: [UInt8]) async {
        if isBusy {
            await withCheckedContinuation { waiting.append($0) }
        } else {
            isBusy = true
        }
        var rest = bytes[...]
        while !rest.isEmpty, !isBroken, !Task.isCancelled {
            guard let count = sink.write(rest, waitingUpTo: .zero) else {
                isBroken = true
                break
            }
            rest = rest.dropFirst(count)
            if count == 0 { try? await Task.sleep(for: .milliseconds(20)) }
        }
        // The next in the queue goes on in our place.
        if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() }
    }
}
