import FoundationEssentials
import Logging
import PrefectAPI
import Worker
import WorkerLogging

extension StartSession {
    /// A pool of the plan, as it was found.
    private struct FoundPool {
        let plan: ServingPlan.Pool
        let kind: BackendKind
        /// The pool as the API described it; `nil` where it does not exist yet or the API has not said.
        let pool: WorkPool?
    }

    /// Finds out what the pools are, and serves them.
    func serve(_ request: Request, _ pools: Live<[Live<ServedPool>]>, _ logger: Logger) async throws {
        let unique = UUID().uuidString.lowercased()
        let state = try StateDirectories.take(
            request.stateDirectory, plan: request.plan, unique: unique, settings: settings,
            environment: ProcessInfo.processInfo.environment, notice: { logger.warning("\($0)") })
        var found: [FoundPool] = []
        for pool in request.plan.pools {
            guard let next = try await discover(pool, createsPool: request.createsPool, logger) else { return }
            found.append(next)
        }
        let backends = try makeBackends(
            found.map(\.kind),
            .init(
                python: request.python, settings: settings.integrations, stateDirectory: state?.path,
                sink: journal.map { journal in
                    JournalSink(journal: journal, pool: { [probes] in probes.daemon?.pool(ofRun: $0) })
                }, notice: { logger.warning("\($0)") }))
        let daemon = makeDaemon(request, found, backends, unique: unique, stateDirectory: state?.path, pools: pools)
        probes.setDaemon(daemon)
        async let checked: Void = Backends.check(
            Array(backends.values),
            templates: found.compactMap { found in found.pool.map { (found.kind.type, $0.baseJobTemplate) } },
            logger: logger, shutdown: shutdown, pools: pools.value)
        await daemon.run()
        // The last that runs have printed is still on its way to our own output.
        await withDiscardingTaskGroup { group in
            for backend in backends.values { group.addTask { await backend.flushOutput(within: .seconds(2)) } }
        }
        withExtendedLifetime(state) {}
        try await checked
        if request.runsOnce, let trouble = daemon.pools.lazy.compactMap(\.state.trouble).first {
            throw Refusal(trouble)
        }
    }

    /// A pool and its type, asked for until the API says it; `nil` when the worker is told to leave before that.
    private func discover(
        _ plan: ServingPlan.Pool, createsPool: Bool, _ logger: Logger
    ) async throws -> FoundPool? {
        let discovery = PoolDiscovery(api: client, supportedTypes: Backends.types)
        var pause = Duration.seconds(1)
        var hasSaid = false
        while shutdown.isServing {
            switch try await discovery.find(pool: plan.name, type: plan.type, createsPool: createsPool) {
            case .servable(let type, let pool, let notice):
                if let notice { logger.info("\(notice)") }
                return FoundPool(plan: plan, kind: Backends.kind(ofType: type) ?? Backends.process, pool: pool)
            case .refused(let reason):
                throw Refusal(reason)
            case .unknown(let error):
                if !hasSaid { logger.warning("The Prefect API cannot be used yet, the worker keeps trying: \(error)") }
                hasSaid = true
                if let kind = plan.type.flatMap(Backends.kind) { return FoundPool(plan: plan, kind: kind, pool: nil) }
                probes.setBeginning("the Prefect API does not answer")
                await shutdown.sleep(for: pause)
                pause = min(pause * 2, .seconds(30))
            }
        }
        return nil
    }

    /// A backend of each kind, by its type.
    private func makeBackends(
        _ kinds: [BackendKind], _ request: BackendKind.Request
    ) throws -> [String: any InfrastructureBackend] {
        var backends: [String: any InfrastructureBackend] = [:]
        for kind in kinds where backends[kind.type] == nil { backends[kind.type] = try kind.make(request) }
        return backends
    }

    private func makeDaemon(
        _ request: Request, _ found: [FoundPool], _ backends: [String: any InfrastructureBackend], unique: String,
        stateDirectory: String?, pools: Live<[Live<ServedPool>]>
    ) -> WorkerDaemon {
        let names = found.map { found in
            found.plan.workerName ?? request.plan.workerName ?? "\(found.kind.workerName) \(unique)"
        }
        let labels = zip(found, names).map { "prefect.workers.\($0.kind.type).\($1.lowercased())" }
        let own = logger(labels.count == 1 ? labels[0] : "prefect.workers")
        let notice: @Sendable (String) -> Void = { own.warning("\($0)") }
        let apiLogging = settings.apiLogging
        let services = WorkerServices(
            api: client,
            logs: LogShipper(
                api: client, interval: apiLogging.batchInterval, batchBytes: apiLogging.batchSize,
                maximumRecordBytes: apiLogging.maxLogSize, isEnabled: apiLogging.isEnabled, notice: notice),
            events: EventShipper(api: client, notice: notice), logger: own,
            ledger: RunLedger(directory: stateDirectory, notice: notice), shutdown: shutdown,
            environment: Backends.environment, settingsEnvironment: settingsEnvironment,
            redact: { [live] in live.redact($0) })
        warnOfOthers(in: services.ledger, request.plan, own)
        let slots = SlotLimiter(limit: request.plan.limit)
        let workers = zip(found, zip(names, labels)).compactMap { found, identity -> (any PoolService)? in
            guard let backend = backends[found.kind.type] else { return nil }
            let worker = makeWorker(
                request, found, name: identity.0, label: identity.1, backend: backend, services: services, within: slots
            )
            pools.update { $0.append(worker.live) }
            return worker
        }
        return WorkerDaemon(
            pools: workers, backends: Array(backends.values), services: services,
            drainTimeout: request.drainTimeout.map { .seconds($0) })
    }

    private func makeWorker(
        _ request: Request, _ found: FoundPool, name: String, label: String, backend: some InfrastructureBackend,
        services: WorkerServices, within slots: SlotLimiter
    ) -> any PoolService {
        var services = services
        let identity = WorkerIdentity()
        services.logger = Logger(label: label) {
            [live, output, logs = services.logs, isCloud = settings.isCloud] label in
            let handler = WorkerLogHandler(logger: label, output: output, level: live.logLevel)
            guard isCloud else { return handler }
            return MultiplexLogHandler([
                handler,
                WorkerLogForwarder(logger: label, level: live.logLevel, logs: logs, workerID: { identity.current }),
            ])
        }
        let most = found.kind.mostRuns(request.openFiles / request.plan.pools.count)
        let limit = [found.plan.limit, request.plan.limit].compactMap(\.self).min()
        if let limit, limit > most {
            services.logger.warning(
                "Open files are limited to \(request.openFiles), enough for \(most) runs at a time; raise LimitNOFILE=")
        }
        var served = ServedPool(
            name: found.plan.name, workerName: name, queues: found.plan.queues, limit: min(limit ?? most, most),
            createsPool: request.createsPool, baseJobTemplate: request.template,
            leavesRunsOnExit: request.detachesOnExit, runsOnce: request.runsOnce)
        served.take(settings, prefetchSeconds: request.prefetchSeconds)
        services.logger[metadataKey: LogContextKey.workPool] = "\(found.plan.name)"
        services.logger[metadataKey: LogContextKey.worker] = "\(name)"
        let worker = PoolWorker(
            served: served, backend: backend, services: services, within: slots, justRead: found.pool)
        identity.follow(worker.state)
        return worker
    }

    /// Says that runs wait for a worker of a pool that is not served.
    private func warnOfOthers(in ledger: RunLedger, _ plan: ServingPlan, _ logger: Logger) {
        let others = Dictionary(grouping: ledger.entries, by: \.pool).filter { !plan.names.contains($0.key) }
        for (pool, entries) in others.sorted(by: { $0.key < $1.key }) {
            logger.warning(
                """
                \(entries.count) flow runs of work pool '\(pool)' are written down in this worker's state directory and \
                are not looked after: serve that pool too, or start a worker for it with this --state-dir
                """)
        }
    }
}
