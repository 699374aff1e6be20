import Dispatch
import Glibc
import Synchronization
import Worker

/// What the operator says with signals: SIGTERM and SIGINT bring the shutdown forward step by step, and end the process on
/// the spot when there is no step left. Signals within a second count as one. SIGHUP reads the settings again.
final class OperatorSignals {
    /// SIGTERM and SIGINT by their names, in the order in which they came.
    let requests: AsyncStream<String>
    private var sources: [any DispatchSourceSignal] = []

    /// - Parameters:
    ///   - shutdown: How far the worker is on its way out.
    ///   - reload: What SIGHUP does.
    init(shutdown: ShutdownSignal, reload: @escaping @Sendable () -> Void) {
        // A broken pipe is an error of the write that meets it, not the end of the worker.
        signal(SIGPIPE, SIG_IGN)
        let (requests, request) = AsyncStream.makeStream(of: String.self)
        self.requests = requests
        let counted = Counted()
        for (number, name) in [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")] {
            watch(number) {
                guard counted.counts() else { return }
                // Whatever is stuck: this one leaves.
                if shutdown.phase == .stopping { _exit(128 + number) }
                request.yield(name)
            }
        }
        watch(SIGHUP, reload)
    }

    /// The requests of both signals, counted together.
    private final class Counted: Sendable {
        private let requests = Mutex(OperatorRequests())

        func counts() -> Bool { requests.withLock { $0.counts(at: .now) } }
    }

    private func watch(_ number: Int32, _ handler: @escaping @Sendable () -> Void) {
        // Also undoes an ignored SIGINT, as a shell leaves it for background commands.
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number)
        source.setEventHandler(handler: handler)
        source.resume()
        sources.append(source)
    }

    func stop() {
        for source in sources { source.cancel() }
    }
}
