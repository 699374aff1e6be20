import Dispatch
import Glibc
import Logging
import Worker

/// What the operator says with signals: the first SIGTERM or SIGINT lets the worker drain, the second stops its runs, the
/// third ends the process on the spot. SIGHUP reads the settings again.
final class OperatorSignals {
    private var sources: [any DispatchSourceSignal] = []

    /// - Parameters:
    ///   - shutdown: What SIGTERM and SIGINT bring forward.
    ///   - logger: Where they are told of.
    ///   - leavesRuns: Whether runs are left to the next worker instead of being waited for.
    ///   - reload: What SIGHUP does.
    init(
        shutdown: ShutdownSignal, logger: Logger, leavesRuns: Bool, reload: @escaping @Sendable () -> Void
    ) {
        // A broken pipe is an error of the write that meets it, not the end of the worker.
        signal(SIGPIPE, SIG_IGN)
        sources = [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")].map { number, name in
            // Also undoes an ignored SIGINT, as a shell leaves it for background commands.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler {
                switch shutdown.phase {
                case .serving where leavesRuns:
                    logger.info("Received \(name): leaving, and leaving flow runs to the next start of this worker")
                case .serving:
                    logger.info("Received \(name): draining, no more flow runs are taken; a second \(name) stops them")
                case .draining:
                    logger.warning("Received \(name) again: stopping the flow runs in flight; a third leaves at once")
                case .stopping:
                    _exit(128 + number)
                }
                shutdown.escalate()
            }
            source.resume()
            return source
        }
        signal(SIGHUP, SIG_IGN)
        let hangup = DispatchSource.makeSignalSource(signal: SIGHUP)
        hangup.setEventHandler(handler: reload)
        hangup.resume()
        sources.append(hangup)
    }

    func stop() {
        for source in sources { source.cancel() }
    }
}
