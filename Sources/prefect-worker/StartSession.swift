import Concurrency
import FoundationEssentials
import HealthServer
import JSON
import JobTemplates
import Logging
import PrefectAPI
import Systemd
import Worker
import WorkerLogging
import WorkerMetrics

/// One execution of `prefect-worker start`, with the parts that it connects.
struct StartSession: Sendable {
    let settings: PrefectSettings
    let live: LiveSettings
    let loadSettings: @Sendable () throws -> PrefectSettings
    let client: APIClient
    let output: LogOutput
    /// The journal, if the log and the output of runs go there.
    let journal: JournalSocket?
    /// Whether the log and the output of runs consist of one JSON object per line.
    let logsAsJSON: Bool
    let probes: WorkerProbes
    /// The metrics, if an endpoint serves them.
    let metrics: PrometheusRegistry?
    let shutdown: ShutdownSignal
    /// Whether a signal has requested the end of the worker while no run was in flight.
    let endsIdle = ObservedValue(false)
    /// Prefect's settings as they are passed on to jobs.
    let settingsEnvironment: ObservedValue<[(name: String, value: String)]>
    /// The pools that are served, once they are known.
    let serving = ObservedValue<Serving?>(nil)

    /// The options of the command line.
    struct Request: Sendable {
        let plan: ServingPlan
        /// Reads the plan again, if it comes from a file.
        let readPlan: (@Sendable () throws -> ServingPlan)?
        let createsPool: Bool
        let template: JSONValue?
        let prefetchSeconds: Int?
        let runsOnce: Bool
        let answersProbes: Bool
        /// The address that answers requests for metrics and status, unless the address of the probes does.
        let metricsAddress: (host: String, port: Int)?
        let python: String?
        let allowsHostCredentials: Bool
        let mentionsInstallPolicy: Bool
        let stateDirectory: String?
        let drainTimeout: Duration?
        let detachesOnExit: Bool
        let openFiles: Int
    }

    /// The time limit for writing the last output.
    var flushLimit: Duration { endsIdle.value ? .milliseconds(100) : .seconds(2) }

    func logger(_ label: String) -> Logger {
        Logger(label: label) { [live] in WorkerLogHandler(logger: $0, output: output, level: live.logLevel) }
    }

    /// Serves until the work is done or a signal ends it.
    func run(_ request: Request) async throws {
        let logger = logger("prefect.worker")
        for warning in settings.warnings { logger.warning("\(warning)") }
        if request.mentionsInstallPolicy {
            logger.info("--install-policy has no effect: this worker contains its backends")
        }
        let (reloads, reload) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let signals = OperatorSignals(shutdown: shutdown, reload: { reload.yield() })
        let requests = signals.requests
        defer { signals.stop() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await followReloads(on: reloads, request, logger) }
            group.addTask { await shutDown(on: requests, request, logger) }
            group.addTask { await endIfHeld(logger) }
            group.addTask { await notifyServiceManager() }
            defer { group.cancelAll() }
            try await run(request, logger)
        }
    }

    private func run(_ request: Request, _ logger: Logger) async throws {
        let serving: @Sendable () async throws -> Void = { try await serve(request, logger) }
        let measured = request.metricsAddress.map { address in
            let server = HealthServer(host: address.host, port: address.port, routes: statusRoutes, logger: logger)
            return { @Sendable in
                try await listening(server, { "Answering at http://\($0)/metrics and /status" }, logger, serving)
            }
        }
        guard request.answersProbes else { return try await (measured ?? serving)() }
        let probes = probes(routes: measured == nil ? statusRoutes : [], logger)
        try await listening(
            probes, { "Answering probes at http://\($0)/health and /ready" }, logger, measured ?? serving)
    }

    /// The routes in addition to the probes. Secrets are masked, because every client that reaches the port may read
    /// the answers.
    private var statusRoutes: [StatusRoute] {
        [
            StatusRoute(path: "/status") { [probes, live] in
                RouteAnswer(
                    status: 200, contentType: "application/json",
                    body: live.redact(probes.report.serialized(.compact)))
            }
        ] + (metrics.map { [.metrics($0, of: probes)] } ?? [])
    }

    private func probes(routes: [StatusRoute], _ logger: Logger) -> HealthServer {
        HealthServer(
            host: settings.worker.webserverHost, port: settings.worker.webserverPort,
            liveness: { [probes] in probes.liveness },
            readiness: { [probes, live] in probes.reasonNotReady.map { .bad(live.redact($0)) } ?? .good },
            routes: routes, logger: logger)
    }

    /// Runs a body while a server answers. The body starts only after the server has its port.
    private func listening(
        _ server: HealthServer, _ announcement: @escaping @Sendable (ListeningAddress) -> String, _ logger: Logger,
        _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let (listening, isListening) = AsyncStream.makeStream(of: Void.self)
        // The first to end is the body, or a server that cannot listen.
        try await raceOf(
            {
                defer { isListening.finish() }
                try await server.run { address in
                    logger.info("\(announcement(address))")
                    isListening.yield()
                }
            },
            {
                var started = listening.makeAsyncIterator()
                // The error of a server that cannot listen is the result.
                guard await started.next() != nil else { return await AsyncSignal().wait() }
                try await body()
            })
    }
}

extension PrefectSettings {
    /// The interval at which runs in flight are checked for a cancellation: the configured one, or else five seconds.
    /// Prefect's own default of two minutes has another purpose, because its worker gets cancellations of running flows
    /// over a socket.
    var cancellationPollInterval: Duration {
        source(of: "PREFECT_WORKER_CANCELLATION_POLL_SECONDS") == .default
            ? .seconds(5) : .pause(seconds: worker.cancellationPollSeconds)
    }
}
