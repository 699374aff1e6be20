import Dispatch
import Glibc
import Logging
import Worker

/// What the operator says with signals: the first SIGTERM or SIGINT stops the worker, the second forces it, the third
/// ends the process on the spot.
final class OperatorSignals {
    private let sources: [any DispatchSourceSignal]

    init(shutdown: ShutdownSignal, logger: Logger) {
        // A broken pipe is an error of the write that meets it, not the end of the worker.
        signal(SIGPIPE, SIG_IGN)
        sources = [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")].map { number, name in
            // Also undoes an ignored SIGINT, as a shell leaves it for background commands.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler {
                switch shutdown.phase {
                case .serving:
                    logger.info("Received \(name): taking no more flow runs and stopping those that run here")
                case .stopping:
                    logger.warning("Received \(name) again: stopping without grace")
                case .forced:
                    _exit(128 + number)
                }
                shutdown.escalate()
            }
            source.resume()
            return source
        }
    }

    func stop() {
        for source in sources { source.cancel() }
    }
}
