import HealthServer
import Logging
import PrefectAPI
import Systemd
import Worker

extension StartSession {
    /// Reads settings and profile again as often as it is asked for, and puts them in force for all that begins after
    /// that; runs in flight are not touched. Settings that cannot be read leave the old ones in force.
    func reloadSettings(
        on requests: AsyncStream<Void>, pools: Live<[Live<ServedPool>]>, _ request: Request, _ logger: Logger
    ) async {
        for await _ in requests {
            // Only who has said that it is ready can say that it reads its settings again.
            let tells = probes.daemon?.isSynchronized == true && shutdown.isServing
            if tells { ServiceManager.tell([.reloading]) }
            defer { if tells { ServiceManager.tell([.ready]) } }
            do {
                let fresh = try loadSettings()
                guard let configuration = APIClient.Configuration(settings: fresh) else {
                    logger.error("Received SIGHUP: the settings stay as they were: PREFECT_API_URL is not set")
                    continue
                }
                for warning in fresh.warnings { logger.warning("\(warning)") }
                let needsRestart = TransportSettings(fresh) != TransportSettings(live.current)
                let changed = live.replace(with: fresh)
                await client.reconfigure(configuration)
                probes.daemon?.reconnect()
                settingsEnvironment.update { $0 = fresh.environmentForJobs() }
                for pool in pools.value { pool.update { $0.take(fresh, prefetchSeconds: request.prefetchSeconds) } }
                let what = changed.isEmpty ? "nothing has changed" : "changed: \(changed.joined(separator: ", "))"
                logger.info("Received SIGHUP: the settings were read again; \(what)")
                if needsRestart {
                    logger.warning(
                        "TLS, HTTP/2, the probes' address and how logs are sent to the API change with a restart only")
                }
            } catch {
                logger.error("Received SIGHUP: the settings stay as they were: \(error)")
            }
        }
    }

    /// Goes one step further on the way out with each request. The first lets the worker drain, or leave where its runs are
    /// to go on without it: because the operator wants that, or because the service manager is restarting the worker.
    func shutDown(
        on requests: AsyncStream<String>, pools: Live<[Live<ServedPool>]>, _ request: Request, _ logger: Logger
    ) async {
        for await name in requests {
            switch shutdown.phase {
            case .serving where request.detachesOnExit:
                logger.info("Received \(name): leaving, and leaving flow runs to the next start of this worker")
            case .serving where await ServiceManager.isRestartingThisProcessAlone(within: .seconds(3)):
                logger.info("Received \(name) for a restart: leaving flow runs to the next start of this worker")
                for pool in pools.value { pool.update { $0.leavesRunsOnExit = true } }
            case .serving:
                logger.info("Received \(name): draining, no more flow runs are taken; a second \(name) stops them")
            case .draining:
                logger.warning("Received \(name) again: stopping the flow runs in flight; a third leaves at once")
            case .stopping: break
            }
            shutdown.escalate()
        }
    }

    /// Keeps the service manager informed, where there is one.
    func tellServiceManager() async {
        guard ServiceManager.isListening else { return }
        let watchdog = ServiceManager.watchdogInterval
        var notices = ServiceNotices(watchdog: watchdog)
        while !Task.isCancelled {
            let standing = ServiceNotices.Standing(
                status: probes.status, hasStarted: probes.daemon?.isSynchronized == true,
                isStopping: !shutdown.isServing, isAlive: probes.isAlive)
            ServiceManager.tell(notices.next(standing, now: .now))
            try? await Task.sleep(for: min(.seconds(1), watchdog.map { $0 / 4 } ?? .seconds(1)))
        }
    }
}

extension ServedPool {
    /// Takes over what settings say about how a pool is served.
    mutating func take(_ settings: PrefectSettings, prefetchSeconds: Int?) {
        pollInterval = .seconds(settings.worker.querySeconds)
        prefetch = .seconds(prefetchSeconds ?? Int(settings.worker.prefetchSeconds))
        heartbeatInterval = .seconds(settings.worker.heartbeatSeconds)
        cancellationPollInterval = settings.cancellationPollInterval
    }
}

/// The settings that are put in force at the start alone.
private struct TransportSettings: Equatable {
    let usesHTTP2: Bool
    let certificates: String?
    let skipsVerification: Bool
    let probes: String
    let logging: PrefectSettings.APILogging

    init(_ settings: PrefectSettings) {
        usesHTTP2 = settings.enableHTTP2
        certificates = settings.sslCertFile
        skipsVerification = settings.tlsInsecureSkipVerify
        probes = "\(settings.worker.webserverHost):\(settings.worker.webserverPort)"
        logging = settings.apiLogging
    }
}

extension WorkerProbes {
    /// Whether the worker's loops make progress, and that it drains, if it does.
    var liveness: ProbeAnswer {
        guard isAlive else { return .bad("Worker may be unresponsive at this time") }
        return ProbeAnswer(isGood: true, detail: isServing ? nil : status)
    }
}
