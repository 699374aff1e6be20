import Glibc
import HealthServer
import Logging
import PrefectClient
import PrefectConcurrency
import PrefectJSON
import Systemd
import WorkerKit
import WorkerLogging

extension StartSession {
    /// Advances the shutdown by one step with each request. With the first request, the worker drains. Instead, it ends
    /// without waiting for its runs if the operator wants that, or if the service manager is restarting it.
    func shutDown(on requests: AsyncStream<String>, _ logger: Logger) async {
        let shutdown = worker.shutdown
        for await name in requests {
            let isIdle = worker.noteShutdownRequest()
            switch shutdown.phase {
            case .serving where worker.configuration.leavesRunsOnExit:
                logger.info("Received \(name): exiting, the next start of this worker recovers the flow runs")
            case .serving
            where await ServiceManager.isRestartingThisProcessAlone(
                within: isIdle ? Self.idleAnswerLimit : .seconds(3)):
                logger.info("Received \(name) for a restart: exiting, the next start recovers the flow runs")
                for pool in worker.probes.daemon?.pools ?? [] { pool.live.update { $0.leavesRunsOnExit = true } }
            case .serving:
                logger.info(
                    "Received \(name): draining, claiming no more flow runs; a second \(name) stops those in flight")
            case .draining:
                logger.warning("Received \(name) again: stopping the flow runs in flight; a third exits at once")
            case .stopping: break
            }
            shutdown.escalate()
        }
    }

    /// The time limit for the service manager's answer if no run depends on it.
    private static var idleAnswerLimit: Duration { .milliseconds(150) }
    /// The time limit for the end of a worker without runs in flight, counted from the signal.
    private static var idleExitLimit: Duration { .milliseconds(850) }

    /// Ends the process when a worker without runs in flight does not end by itself. This loses nothing, because the
    /// ledger is written before each step of a run.
    func endIfHeld(_ logger: Logger) async {
        await worker.endsIdle.wait { $0 }
        guard (try? await Task.sleep(for: Self.idleExitLimit)) != nil, worker.runsInFlight == 0 else { return }
        logger.warning("Exiting at once: no flow run is in flight, and the shutdown has exceeded its time limit")
        output.flush(within: .milliseconds(50))
        _exit(0)
    }

    /// Reports the state of the worker to the service manager, if one exists.
    func notifyServiceManager() async {
        guard ServiceManager.isListening else { return }
        let watchdog = ServiceManager.watchdogInterval
        var notices = ServiceNotices(watchdog: watchdog)
        while !Task.isCancelled {
            let state = ServiceNotices.State(
                status: worker.status, hasStarted: worker.probes.daemon?.isSynchronized == true,
                isStopping: !worker.shutdown.isServing, isAlive: worker.isAlive)
            ServiceManager.notify(notices.next(state, now: .now))
            try? await Task.sleep(for: min(.seconds(1), watchdog.map { $0 / 4 } ?? .seconds(1)))
        }
    }
}

extension WorkerProbes {
    /// Whether the worker's loops make progress. The answer also states whether the worker drains.
    var liveness: ProbeAnswer {
        guard isAlive else { return .bad("Worker may be unresponsive at this time") }
        return ProbeAnswer(isGood: true, detail: isServing ? nil : status)
    }
}
