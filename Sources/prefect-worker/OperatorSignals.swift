import Dispatch
import Glibc
import Synchronization
import WorkerKit

/// The signals of the operator. SIGTERM and SIGINT advance the shutdown by one step each, and end the process at once
/// after the last step. Signals within a second count as one. SIGHUP reloads the settings.
final class OperatorSignals {
    /// The names of the received SIGTERM and SIGINT signals, in their order.
    let requests: AsyncStream<String>
    private var sources: [any DispatchSourceSignal] = []

    /// - Parameters:
    ///   - shutdown: The progress of the worker's shutdown.
    ///   - reload: The action for SIGHUP.
    init(shutdown: ShutdownSignal, reload: @escaping @Sendable () -> Void) {
        // A broken pipe is an error of the write that meets it, not the end of the worker.
        signal(SIGPIPE, SIG_IGN)
        let (requests, request) = AsyncStream.makeStream(of: String.self)
        self.requests = requests
        let counted = Counted()
        for (number, name) in [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")] {
            sources.append(
                handleSignal(number) {
                    guard counted.counts() else { return }
                    // The process ends even if a part of it is blocked.
                    if shutdown.phase == .stopping { _exit(128 + number) }
                    request.yield(name)
                })
        }
        sources.append(handleSignal(SIGHUP, reload))
    }

    /// The requests of both signals, counted together.
    private final class Counted: Sendable {
        private let requests = Mutex(OperatorRequests())

        func counts() -> Bool { requests.withLock { $0.counts(at: .now) } }
    }

    func stop() {
        for source in sources { source.cancel() }
    }
}
