import HealthServer
import Logging
import PrefectClient
import PrefectConcurrency
import WorkerKit
import WorkerLogging
import WorkerMetrics

/// One execution of `prefect-worker start`: a worker with signals, probes and a log.
struct StartSession: Sendable {
    let worker: PrefectWorker
    let loadSettings: @Sendable () throws -> PrefectSettings
    let output: LogOutput
    /// The metrics, if an endpoint serves them.
    let metrics: PrometheusRegistry?

    /// The options of the command line that are not part of the worker's configuration.
    struct Request: Sendable {
        /// Reads the plan again, if it comes from a file.
        let readPlan: (@Sendable () throws -> ServingPlan)?
        let answersProbes: Bool
        /// Whether the address that answers requests for status also shows the page.
        let showsStatusPage: Bool
        /// The address that answers requests for metrics and status, unless the address of the probes does.
        let metricsAddress: (host: String, port: Int)?
        let mentionsInstallPolicy: Bool
    }

    /// Serves until the work is done or a signal ends it.
    func run(_ request: Request) async throws {
        let logger = worker.logger("prefect.worker")
        for warning in worker.configuration.settings.warnings { logger.warning("\(warning)") }
        if request.mentionsInstallPolicy {
            logger.info("--install-policy has no effect: this worker contains its backends")
        }
        let (reloads, reload) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let signals = OperatorSignals(shutdown: worker.shutdown, reload: { reload.yield() })
        let requests = signals.requests
        defer { signals.stop() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await followReloads(on: reloads, request, logger) }
            group.addTask { await shutDown(on: requests, logger) }
            group.addTask { await endIfHeld(logger) }
            group.addTask { await notifyServiceManager() }
            group.addTask { await answerControl(logger) }
            defer { group.cancelAll() }
            try await run(request, logger)
        }
    }

    private func run(_ request: Request, _ logger: Logger) async throws {
        let serving: @Sendable () async throws -> Void = { try await worker.serve(logger) }
        let statusRoutes = self.statusRoutes + (request.showsStatusPage ? [StatusPage.route] : [])
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

    /// The routes in addition to the probes.
    private var statusRoutes: [StatusRoute] {
        [statusRoute] + (metrics.map { [.metrics($0, of: worker.probes)] } ?? [])
    }

    private func probes(routes: [StatusRoute], _ logger: Logger) -> HealthServer {
        let settings = worker.configuration.settings.worker
        return HealthServer(
            host: settings.webserverHost, port: settings.webserverPort,
            liveness: { [worker] in worker.probes.liveness },
            readiness: { [worker] in worker.reasonNotReady.map { .bad($0) } ?? .good },
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
