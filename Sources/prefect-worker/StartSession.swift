import FoundationEssentials
import HealthServer
import JSON
import JobTemplates
import Logging
import PrefectAPI
import ProcessBackend
import Worker
import WorkerLogging

/// One life of `prefect-worker start`: everything that it wires together.
struct StartSession: Sendable {
    let settings: PrefectSettings
    let client: APIClient
    let output: LogOutput
    let probes: WorkerProbes
    let shutdown: ShutdownSignal

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
    }

    private func logger(_ label: String) -> Logger {
        Logger(label: label) { WorkerLogHandler(logger: $0, output: output, level: settings.workerLogLevel) }
    }

    /// Serves until the work is done or a signal ends it.
    func run(_ request: Request) async throws {
        let logger = logger("prefect.worker")
        for warning in settings.warnings { logger.warning("\(warning)") }
        if request.mentionsInstallPolicy {
            logger.info("--install-policy has no effect: this worker brings its backends along")
        }
        let signals = OperatorSignals(shutdown: shutdown, logger: logger)
        defer { signals.stop() }
        guard request.answersProbes else { return try await serve(request, logger) }
        try await withProbes(logger) { try await serve(request, logger) }
    }

    /// Runs a body while the health server answers; nothing starts before its port is ours.
    private func withProbes(_ logger: Logger, _ body: @escaping @Sendable () async throws -> Void) async throws {
        let server = HealthServer(
            host: settings.worker.webserverHost, port: settings.worker.webserverPort,
            liveness: { [probes] in probes.isAlive ? .good : .bad("Worker may be unresponsive at this time") },
            readiness: { [probes] in probes.reasonNotReady.map { .bad($0) } ?? .good }, logger: logger)
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

    private func serve(_ request: Request, _ logger: Logger) async throws {
        guard let (type, found) = try await discover(request, logger) else { return }
        let backend = try Backends.makeProcessBackend(python: request.python)
        let name = request.name ?? "ProcessWorker \(UUID().uuidString.lowercased())"
        client.setAttribution(.init(workerName: name))
        let daemon = makeDaemon(request, name: name, type: type, backend: backend, found: found)
        probes.setDaemon(daemon)
        async let checked: Void = Backends.check(backend, logger: logger, shutdown: shutdown)
        await daemon.run()
        // The last that runs have printed is still on its way to our own output.
        await backend.flushOutput(within: .seconds(2))
        try await checked
        if request.runsOnce, let trouble = daemon.pools.lazy.compactMap(\.state.trouble).first {
            throw Refusal(trouble)
        }
    }

    private func makeDaemon(
        _ request: Request, name: String, type: String, backend: ProcessBackend, found: WorkPool?
    ) -> WorkerDaemon {
        let worker = settings.worker
        let label = "prefect.workers.\(type).\(name.lowercased())"
        let stderrLogger = self.logger(label)
        let notice: @Sendable (String) -> Void = { stderrLogger.warning("\($0)") }
        let apiLogging = settings.apiLogging
        let logs = LogShipper(
            api: client, interval: apiLogging.batchInterval, batchBytes: apiLogging.batchSize,
            maximumRecordBytes: apiLogging.maxLogSize, isEnabled: apiLogging.isEnabled, notice: notice)
        let workerID = WorkerIdentity()
        let logger = Logger(label: label) {
            [level = settings.workerLogLevel, output, isCloud = settings.isCloud] label in
            let handler = WorkerLogHandler(logger: label, output: output, level: level)
            guard isCloud else { return handler }
            return MultiplexLogHandler([
                handler,
                WorkerLogForwarder(logger: label, level: level, logs: logs, workerID: { workerID.current }),
            ])
        }
        let redactor = settings.redactor
        let services = WorkerServices(
            api: client, logs: logs, events: EventShipper(api: client, notice: notice), logger: logger,
            shutdown: shutdown, environment: ProcessInfo.processInfo.environment,
            settingsEnvironment: settings.environmentForJobs(), redact: { redactor.redact($0) })
        let served = ServedPool(
            name: request.pool, workerName: name, queues: request.queues, limit: request.limit,
            createsPool: request.createsPool, baseJobTemplate: request.template,
            pollInterval: .seconds(worker.querySeconds),
            prefetch: .seconds(request.prefetchSeconds ?? Int(worker.prefetchSeconds)),
            heartbeatInterval: .seconds(worker.heartbeatSeconds),
            cancellationPollInterval: settings.cancellationPollInterval, runsOnce: request.runsOnce)
        let pool = PoolWorker(served: served, backend: backend, services: services, justRead: found)
        workerID.follow(pool.state)
        return WorkerDaemon(pools: [pool], services: services)
    }

    /// The pool and its type, asked for until the API says it; `nil` when the worker is told to leave before that.
    private func discover(_ request: Request, _ logger: Logger) async throws -> (type: String, pool: WorkPool?)? {
        let discovery = PoolDiscovery(api: client, supportedTypes: Backends.types)
        var pause = Duration.seconds(1)
        var hasSaid = false
        while shutdown.isServing {
            switch try await discovery.find(
                pool: request.pool, type: request.type, createsPool: request.createsPool)
            {
            case .servable(let type, let pool, let notice):
                if let notice { logger.info("\(notice)") }
                return (type, pool)
            case .refused(let reason):
                throw Refusal(reason)
            case .unknown(let error):
                if !hasSaid { logger.warning("The Prefect API cannot be used yet, the worker keeps trying: \(error)") }
                hasSaid = true
                if let type = request.type { return (type, nil) }
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
