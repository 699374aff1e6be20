import CLinux
import FoundationEssentials
import HealthServer
import JSON
import JobTemplates
import Logging
import PrefectAPI
import Worker
import WorkerLogging

/// One life of `prefect-worker start`: everything that it wires together.
struct StartSession: Sendable {
    let settings: PrefectSettings
    let live: LiveSettings
    let loadSettings: @Sendable () throws -> PrefectSettings
    let client: APIClient
    let output: LogOutput
    let probes: WorkerProbes
    let shutdown: ShutdownSignal
    /// Prefect's settings as they are handed on to jobs.
    let settingsEnvironment: Live<[(name: String, value: String)]>

    /// What the command line asks for.
    struct Request: Sendable {
        let pool: String
        let name: String?
        let type: String?
        let queues: [String]
        let limit: Int?
        let createsPool: Bool
        let template: JSONValue?
        let prefetchSeconds: Int?
        let runsOnce: Bool
        let answersProbes: Bool
        let python: String?
        let mentionsInstallPolicy: Bool
        let stateDirectory: String?
        let drainTimeout: Double?
        let detachesOnExit: Bool
        let openFiles: Int
    }

    private func logger(_ label: String) -> Logger {
        Logger(label: label) { [live] in WorkerLogHandler(logger: $0, output: output, level: live.logLevel) }
    }

    /// Serves until the work is done or a signal ends it.
    func run(_ request: Request) async throws {
        let logger = logger("prefect.worker")
        for warning in settings.warnings { logger.warning("\(warning)") }
        if request.mentionsInstallPolicy {
            logger.info("--install-policy has no effect: this worker brings its backends along")
        }
        let (reloads, reload) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let signals = OperatorSignals(
            shutdown: shutdown, logger: logger, leavesRuns: request.detachesOnExit, reload: { reload.yield() })
        defer { signals.stop() }
        let pools = Live<[Live<ServedPool>]>([])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await reloadSettings(on: reloads, pools: pools, request, logger) }
            group.addTask { await tellServiceManager() }
            group.addTask {
                // Most of the code that a start needs is not needed again.
                try? await Task.sleep(for: .seconds(3))
                clinux_release_code()
            }
            defer { group.cancelAll() }
            try await run(request, pools: pools, logger)
        }
    }

    private func run(_ request: Request, pools: Live<[Live<ServedPool>]>, _ logger: Logger) async throws {
        guard request.answersProbes else { return try await serve(request, pools, logger) }
        try await withProbes(logger) { try await serve(request, pools, logger) }
    }

    /// Runs a body while the health server answers; nothing starts before its port is ours.
    private func withProbes(_ logger: Logger, _ body: @escaping @Sendable () async throws -> Void) async throws {
        let server = HealthServer(
            host: settings.worker.webserverHost, port: settings.worker.webserverPort,
            liveness: { [probes] in probes.liveness },
            readiness: { [probes] in probes.reasonNotReady.map { .bad($0) } ?? .good },
            routes: [
                StatusRoute(path: "/status") { [probes] in
                    RouteAnswer(
                        status: 200, contentType: "application/json", body: probes.report.serialized(.compact))
                }
            ], logger: logger)
        let (listening, isListening) = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { isListening.finish() }
                try await server.run { address in
                    logger.info("Answering probes at http://\(address)/health and /ready")
                    isListening.yield()
                }
            }
            group.addTask {
                var started = listening.makeAsyncIterator()
                guard await started.next() != nil else { return }
                try await body()
            }
            // The first to end is the body, or a server that cannot listen.
            do {
                try await group.next()
            } catch {
                group.cancelAll()
                throw error
            }
            group.cancelAll()
        }
    }

    private func serve(_ request: Request, _ pools: Live<[Live<ServedPool>]>, _ logger: Logger) async throws {
        let unique = UUID().uuidString.lowercased()
        let state = try StateDirectories.take(
            request.stateDirectory, pool: request.pool, workerName: request.name ?? unique, settings: settings,
            environment: ProcessInfo.processInfo.environment, notice: { logger.warning("\($0)") })
        guard let (kind, found) = try await discover(request, logger) else { return }
        let name = request.name ?? "\(kind.workerName) \(unique)"
        let backend = try kind.make(
            BackendKind.Request(
                python: request.python, settings: settings.integrations, stateDirectory: state?.path,
                notice: { logger.warning("\($0)") }))
        client.setAttribution(.init(workerName: name))
        let daemon = makeDaemon(
            request, name: name, kind: kind, backend: backend, found: found, stateDirectory: state?.path, pools: pools)
        probes.setDaemon(daemon)
        async let checked: Void = Backends.check(
            backend, template: found?.baseJobTemplate, logger: logger, shutdown: shutdown, pools: pools.value)
        await daemon.run()
        // The last that runs have printed is still on its way to our own output.
        await backend.flushOutput(within: .seconds(2))
        withExtendedLifetime(state) {}
        try await checked
        if request.runsOnce, let trouble = daemon.pools.lazy.compactMap(\.state.trouble).first {
            throw Refusal(trouble)
        }
    }

    private func makeDaemon(
        _ request: Request, name: String, kind: BackendKind, backend: some InfrastructureBackend, found: WorkPool?,
        stateDirectory: String?, pools: Live<[Live<ServedPool>]>
    ) -> WorkerDaemon {
        let label = "prefect.workers.\(kind.type).\(name.lowercased())"
        let stderrLogger = self.logger(label)
        let notice: @Sendable (String) -> Void = { stderrLogger.warning("\($0)") }
        let apiLogging = settings.apiLogging
        let logs = LogShipper(
            api: client, interval: apiLogging.batchInterval, batchBytes: apiLogging.batchSize,
            maximumRecordBytes: apiLogging.maxLogSize, isEnabled: apiLogging.isEnabled, notice: notice)
        let workerID = WorkerIdentity()
        let logger = Logger(label: label) {
            [live, output, isCloud = settings.isCloud] label in
            let handler = WorkerLogHandler(logger: label, output: output, level: live.logLevel)
            guard isCloud else { return handler }
            return MultiplexLogHandler([
                handler,
                WorkerLogForwarder(logger: label, level: live.logLevel, logs: logs, workerID: { workerID.current }),
            ])
        }
        let services = WorkerServices(
            api: client, logs: logs, events: EventShipper(api: client, notice: notice), logger: logger,
            ledger: RunLedger(directory: stateDirectory, notice: notice), shutdown: shutdown,
            environment: Backends.environment, settingsEnvironment: settingsEnvironment,
            redact: { [live] in live.redact($0) })
        let most = kind.mostRuns(request.openFiles)
        if let limit = request.limit, limit > most {
            logger.warning(
                "Open files are limited to \(request.openFiles), enough for \(most) runs at a time; raise LimitNOFILE=")
        }
        var served = ServedPool(
            name: request.pool, workerName: name, queues: request.queues, limit: min(request.limit ?? most, most),
            createsPool: request.createsPool, baseJobTemplate: request.template,
            leavesRunsOnExit: request.detachesOnExit,
            runsOnce: request.runsOnce)
        served.take(settings, prefetchSeconds: request.prefetchSeconds)
        let pool = PoolWorker(served: served, backend: backend, services: services, justRead: found)
        workerID.follow(pool.state)
        pools.update { $0.append(pool.live) }
        return WorkerDaemon(
            pools: [pool], services: services, drainTimeout: request.drainTimeout.map { .seconds($0) })
    }

    /// The pool and its type, asked for until the API says it; `nil` when the worker is told to leave before that.
    private func discover(_ request: Request, _ logger: Logger) async throws -> (kind: BackendKind, pool: WorkPool?)? {
        let discovery = PoolDiscovery(api: client, supportedTypes: Backends.types)
        var pause = Duration.seconds(1)
        var hasSaid = false
        while shutdown.isServing {
            switch try await discovery.find(
                pool: request.pool, type: request.type, createsPool: request.createsPool)
            {
            case .servable(let type, let pool, let notice):
                if let notice { logger.info("\(notice)") }
                return (Backends.kind(ofType: type) ?? Backends.process, pool)
            case .refused(let reason):
                throw Refusal(reason)
            case .unknown(let error):
                if !hasSaid { logger.warning("The Prefect API cannot be used yet, the worker keeps trying: \(error)") }
                hasSaid = true
                if let kind = request.type.flatMap(Backends.kind) { return (kind, nil) }
                probes.setBeginning("the Prefect API does not answer")
                await shutdown.sleep(for: pause)
                pause = min(pause * 2, .seconds(30))
            }
        }
        return nil
    }
}

extension PrefectSettings {
    /// How often runs in flight are looked up for a cancellation: as set, else every five seconds. Prefect's own
    /// default of two minutes is for something else: its worker hears of cancellations of running flows on a socket.
    var cancellationPollInterval: Duration {
        source(of: "PREFECT_WORKER_CANCELLATION_POLL_SECONDS") == .default
            ? .seconds(5) : .seconds(worker.cancellationPollSeconds)
    }
}
