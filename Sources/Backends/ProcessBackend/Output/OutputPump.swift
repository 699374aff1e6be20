internal import BackendKit
internal import CLinux
internal import Glibc
internal import PrefectConcurrency
internal import PrefectFiles
internal import Synchronization

/// Copies the output of all runs to one sink on a thread of its own, so that a blocked sink delays nothing else.
final class OutputPump: Sendable {
    private struct State {
        var queue: [OutputFollower] = []
        var isCopying = false
        var isStopped = false
        var isBroken = false

        /// Whether the output of all queued followers has been copied.
        var isIdle: Bool { queue.isEmpty && !isCopying }
    }

    private let sink: any OutputSink
    private let wakeUp: Descriptor
    private let state = ObservedValue(State())

    /// Starts the thread; returns `nil` when the system provides no descriptor or thread.
    static func started(name: String, sink: any OutputSink) -> OutputPump? {
        guard let wakeUp = Descriptor(owning: clinux_eventfd(0)) else { return nil }
        let pump = OutputPump(sink: sink, wakeUp: wakeUp)
        guard startThread(name, stackSize: 256 << 10, { pump.run() }) == 0 else { return nil }
        return pump
    }

    private init(sink: any OutputSink, wakeUp: Descriptor) {
        self.sink = sink
        self.wakeUp = wakeUp
    }

    /// Queues a follower whose file may have new output.
    func wake(_ follower: OutputFollower) {
        guard follower.markQueued() else { return }
        state.update { $0.queue.append(follower) }
        signal()
    }

    /// Waits until the output of all queued followers has been copied; returns `false` when that takes until `deadline`.
    func waitUntilIdle(by deadline: ContinuousClock.Instant) async -> Bool {
        await state.wait(by: deadline) { $0.isIdle }
        return state.value.isIdle
    }

    /// Ends the thread after it has copied the waiting output, unless the sink is blocked.
    func stop() {
        state.update { $0.isStopped = true }
        signal()
    }

    private func signal() {
        var one: UInt64 = 1
        _ = Glibc.write(wakeUp.raw, &one, 8)
    }

    private func run() {
        while true {
            let (batch, isStopped) = state.update { state in
                defer { state.queue.removeAll() }
                state.isCopying = !state.queue.isEmpty
                return (state.queue, state.isStopped)
            }
            if batch.isEmpty {
                if isStopped { return }
                var counter: UInt64 = 0
                _ = read(wakeUp.raw, &counter, 8)
                continue
            }
            // Each follower copies one chunk in turn, so that a flood of output from one run does not hide the others.
            for (index, follower) in batch.enumerated() {
                let progress = follower.copySome { bytes in
                    self.write(bytes, of: follower.source, waiting: batch[index...])
                }
                if progress == .more { wake(follower) }
            }
        }
    }

    private func write(_ bytes: ArraySlice<UInt8>, of source: OutputSource, waiting: ArraySlice<OutputFollower>) {
        var rest = bytes
        while !rest.isEmpty {
            if state.value.isBroken { return }
            guard let count = sink.write(rest, of: source, waitingUpTo: .milliseconds(500)) else {
                state.update { $0.isBroken = true }
                return
            }
            if count > 0 {
                rest = rest.dropFirst(count)
                continue
            }
            let (queued, isStopped) = (state.value.queue, state.value.isStopped)
            if isStopped { return }
            // The notice follows the line that is being written.
            let notices = (waiting.dropFirst() + queued).compactMap { $0.dropBacklog() }.joined()
            if !notices.isEmpty { rest += Array(notices.utf8) }
        }
    }
}
