import CLinux
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

/// One life of `prefect-worker start`: everything that it wires together.
struct StartSession: Sendable {
    let settings: PrefectSettings
    let live: LiveSettings
    let loadSettings: @Sendable () throws -> PrefectSettings
    let client: APIClient
    let output: LogOutput
    /// The journal, where the log and what runs print go there.
    let journal: JournalSocket?
    let probes: WorkerProbes
    /// What is measured, where anybody can ask for it.
    let metrics: PrometheusRegistry?
    let shutdown: ShutdownSignal
    /// Prefect's settings as they are handed on to jobs.
    let settingsEnvironment: Live<[(name: String, value: String)]>

    /// What the command line asks for.
    struct Request: Sendable {
        let plan: ServingPlan
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

    func logger(_ label: String) -> Logger {
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
        let signals = OperatorSignals(shutdown: shutdown, reload: { reload.yield() })
        let requests = signals.requests
        defer { signals.stop() }
        let pools = Live<[Live<ServedPool>]>([])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await reloadSettings(on: reloads, pools: pools, request, logger) }
            group.addTask { await shutDown(on: requests, pools: pools, request, logger) }
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
            ] + (metrics.map { [.metrics($0, of: probes)] } ?? []), logger: logger)
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
}

extension PrefectSettings {
    /// How often runs in flight are looked up for a cancellation: as set, else every five seconds. Prefect's own
    /// default of two minutes is for something else: its worker hears of cancellations of running flows on a socket.
    var cancellationPollInterval: Duration {
        source(of: "PREFECT_WORKER_CANCELLATION_POLL_SECONDS") == .default
            ? .seconds(5) : .seconds(worker.cancellationPollSeconds)
    }
}
