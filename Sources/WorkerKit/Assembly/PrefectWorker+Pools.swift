internal import BackendKit
package import Logging
internal import PrefectClient
internal import PrefectConcurrency

/// The pools of a session, and everything that it needs to serve further pools.
struct Serving: Sendable {
    let daemon: WorkerDaemon
    let services: WorkerServices
    /// The slots that all pools share.
    let slots: SlotLimiter
    /// The operator's plan that is currently in force.
    let plan: ObservedValue<ServingPlan>
    /// The kinds of the pools, by their names.
    let kinds = ObservedValue<[String: any Backend.Type]>([:])
    /// The backends, by the type of the pools that they serve.
    let backends: ObservedValue<[String: any Backend]>
    let backendHost: BackendHost
    /// Returns the name of a worker without a name in the plan.
    let defaultName: @Sendable (any Backend.Type) -> String
}

/// A pool of the plan, with the results of its discovery.
struct FoundPool: Sendable {
    let plan: ServingPlan.Pool
    let kind: any Backend.Type
    /// The pool as the API described it; `nil` if it does not exist yet or the API has not answered.
    let pool: WorkPool?

    /// Returns the pool's template, if the API has described the pool.
    func template(api: APIClient, environment: [String: String]) -> BackendTemplate? {
        pool.map { pool in
            let jobs = PoolJobs(
                of: pool, defaultTemplate: kind.traits.baseJobTemplate, environment: environment, api: api)
            return (kind.traits.type, .object(pool.baseJobTemplate), jobs)
        }
    }
}

extension PrefectWorker {
    private var settings: PrefectSettings { configuration.settings }
    private var environment: [String: String] { configuration.environment }

    /// Discovers the pools and serves them.
    package func serve(_ logger: Logger) async throws {
        let state = try StateDirectories.take(
            configuration.stateDirectory, plan: configuration.plan, settings: settings, environment: environment)
        stateDirectory.update { $0 = state.directory }
        defer { stateDirectory.update { $0 = nil } }
        var found: [FoundPool] = []
        for pool in configuration.plan.pools {
            guard let next = try await discover(pool, logger) else { return }
            found.append(next)
        }
        var backendHost = BackendHost(
            environment: environment, python: configuration.python, warmEngines: configuration.warmEngines,
            allowsHostCredentials: configuration.allowsHostCredentials,
            settings: settings.integrations, stateDirectory: state.directory?.path,
            stateDirectoryProblem: state.problem, sink: configuration.output, logger: logger)
        backendHost.runEnvironment = settings.environmentForJobs(over: environment)
        let backends = try makeBackends(found.map(\.kind), backendHost)
        if let problem = state.problem {
            logger.warning("\(problem); the worker continues, but could not recover its runs after a restart")
        }
        if let note = state.note { logger.notice("\(note)") }
        let name = WorkerName(environment: environment, directory: state.directory)
        let serving = makeServing(found, backends, backendHost, name, in: state.directory)
        let daemon = serving.daemon
        self.serving.update { $0 = serving }
        probes.setDaemon(daemon)
        async let checked: Void = BackendChecks.check(
            Array(backends.values), templates: found.compactMap(template), logger: logger, shutdown: shutdown)
        await daemon.run()
        // The last output of runs may not have reached this process's own output yet.
        await withDiscardingTaskGroup { group in
            for backend in serving.backends.value.values {
                group.addTask { await backend.flushOutput(within: self.flushLimit) }
            }
        }
        withExtendedLifetime(state) {}
        await checked
        if let refusal = shutdown.refusal { throw WorkerRefusal(refusal) }
        // A pool that does not exist has nothing to run, and a warning has already reported that.
        if configuration.runsOnce,
            let unavailableReason = daemon.pools.lazy.filter({ !$0.state.isMissing }).compactMap(
                \.state.unavailableReason
            ).first
        {
            throw WorkerRefusal(unavailableReason)
        }
    }

    func template(of found: FoundPool) -> BackendTemplate? { found.template(api: client, environment: environment) }

    /// Requests a pool and its type until the API answers, or only for a while if the worker polls once. Returns `nil`
    /// if the worker is asked to stop before that, or if the pool is not wanted any more.
    func discover(
        _ plan: ServingPlan.Pool, _ logger: Logger,
        while isWanted: @Sendable () -> Bool = { true }
    ) async throws -> FoundPool? {
        let discovery = PoolDiscovery(api: client, supportedTypes: configuration.backends.types)
        var failures = 0
        var isLogged = false
        while shutdown.isServing, isWanted() {
            let found = try await shutdown.whileServing {
                try await discovery.find(pool: plan.name, type: plan.type, createsPool: self.configuration.createsPools)
            }
            guard let found else { return nil }
            switch found {
            case .servable(let type, let pool, let notice):
                if let notice { logger.info("\(notice)") }
                guard let kind = configuration.backends.backend(ofType: type) else {
                    throw WorkerRefusal("No backend serves the type '\(type)' of work pool '\(plan.name)'")
                }
                return FoundPool(plan: plan, kind: kind, pool: pool)
            case .refused(let reason):
                throw WorkerRefusal(reason)
            case .unknown(let error):
                if !isLogged { logger.warning("The Prefect API cannot be used yet, the worker keeps trying: \(error)") }
                isLogged = true
                if let kind = plan.type.flatMap(configuration.backends.backend) {
                    return FoundPool(plan: plan, kind: kind, pool: nil)
                }
                failures += 1
                let pause = Backoff(from: .seconds(1), to: .seconds(30)).pause(afterFailures: failures)
                if configuration.runsOnce, pause > Self.patienceOfOnePoll {
                    throw WorkerRefusal(
                        "The type of work pool '\(plan.name)' is not known, since the Prefect API cannot be used: \(error)"
                    )
                }
                probes.setBeginning("the Prefect API does not answer")
                await shutdown.sleep(for: pause)
            }
        }
        return nil
    }

    /// The pause between attempts after which a worker that polls once gives up. All pauses together take about seven
    /// seconds.
    private static var patienceOfOnePoll: Duration { .seconds(4) }

    /// Makes a backend of each kind, by its type.
    private func makeBackends(
        _ kinds: [any Backend.Type], _ host: BackendHost
    ) throws -> [String: any Backend] {
        var backends: [String: any Backend] = [:]
        for kind in kinds where backends[kind.traits.type] == nil {
            backends[kind.traits.type] = try kind.make(for: host)
        }
        return backends
    }

    private func makeServing(
        _ found: [FoundPool], _ backends: [String: any Backend],
        _ backendHost: BackendHost, _ name: WorkerName, in directory: StateDirectory?
    ) -> Serving {
        let plan = configuration.plan
        let names = found.map { Self.workerName($0, in: plan, orElse: name.of) }
        let own = logger(found.count == 1 ? Self.label(of: found[0].kind, worker: names[0]) : "prefect.workers")
        let apiLogging = settings.apiLogging
        let services = WorkerServices(
            api: client,
            logs: LogShipper(
                api: client, interval: apiLogging.batchInterval, batchBytes: apiLogging.batchSize,
                maximumRecordBytes: apiLogging.maxLogSize, isEnabled: apiLogging.isEnabled, logger: own),
            events: EventShipper(api: client, logger: own), logger: own,
            ledger: RunLedger(directory: directory?.path, logger: own), shutdown: shutdown,
            claiming: claiming, environment: environment, settingsEnvironment: settingsEnvironment,
            redact: { [live] in live.redact($0) })
        warnOfOthers(in: services.ledger, plan, own)
        let serving = Serving(
            daemon: WorkerDaemon(
                pools: [], backends: Array(backends.values), services: services,
                drainTimeout: configuration.drainTimeout, idleLimit: configuration.exitsWhenIdle),
            services: services, slots: SlotLimiter(limit: plan.limit), plan: ObservedValue(plan),
            backends: ObservedValue(backends),
            backendHost: backendHost, defaultName: name.of)
        for pool in found {
            guard let worker = makeWorker(pool, in: serving) else { continue }
            serving.daemon.begin(with: worker)
        }
        return serving
    }

    private static func workerName(
        _ found: FoundPool, in plan: ServingPlan, orElse name: (any Backend.Type) -> String
    ) -> String {
        found.plan.workerName ?? plan.workerName ?? name(found.kind)
    }

    private static func label(of kind: any Backend.Type, worker name: String) -> String {
        "prefect.workers.\(kind.traits.type).\(name.lowercased())"
    }

    /// Makes the worker of a pool. `onRefusal` is called when the API permanently refuses a request that the worker
    /// needs for a pool that is not known yet. Without `onRefusal`, such a refusal ends the whole worker.
    func makeWorker(
        _ found: FoundPool, in serving: Serving, onRefusal: (@Sendable (String) -> Void)? = nil
    ) -> (any PoolService)? {
        guard let backend = serving.backends.value[found.kind.traits.type] else { return nil }
        return makeWorker(found, backend: backend, in: serving, onRefusal: onRefusal)
    }

    private func makeWorker(
        _ found: FoundPool, backend: any Backend, in serving: Serving,
        onRefusal: (@Sendable (String) -> Void)?
    ) -> any PoolService {
        let plan = serving.plan.value
        let name = Self.workerName(found, in: plan, orElse: serving.defaultName)
        var services = serving.services
        let identity = WorkerIdentity()
        services.logger = Logger(label: Self.label(of: found.kind, worker: name)) {
            [make = configuration.makeLogHandler, logs = services.logs, isCloud = settings.isCloud] label in
            let handler = make(label)
            guard isCloud else { return handler }
            return MultiplexLogHandler([
                handler,
                WorkerLogForwarder(
                    logger: label, level: handler.logLevel, logs: logs, workerID: { identity.current }),
            ])
        }
        serving.kinds.update { $0[found.plan.name] = found.kind }
        let limit = limit(of: found.plan, found.kind, in: plan)
        if let wanted = [found.plan.limit, plan.limit].compactMap(\.self).min(), let limit, wanted > limit {
            services.logger.warning(
                "Open files are limited to \(configuration.openFiles), enough for \(limit) runs at a time; raise LimitNOFILE="
            )
        }
        var served = ServedPool(
            name: found.plan.name, workerName: name, queues: found.plan.queues, limit: limit,
            createsPool: configuration.createsPools, baseJobTemplate: configuration.baseJobTemplate,
            allowedJobVariables: Set(found.plan.allowedJobVariables),
            leavesRunsOnExit: configuration.leavesRunsOnExit, runsOnce: configuration.runsOnce)
        served.take(live.current, prefetchSeconds: configuration.prefetchSeconds)
        services.logger[metadataKey: "work_pool"] = "\(found.plan.name)"
        services.logger[metadataKey: "worker"] = "\(name)"
        let worker = PoolWorker(
            served: served, backend: backend, services: services, within: serving.slots, justRead: found.pool,
            onRefusal: onRefusal)
        identity.follow(worker.state)
        return worker
    }

    /// Returns the maximum number of runs of a pool in flight. The plan and the number of open files limit it.
    func limit(of pool: ServingPlan.Pool, _ kind: (any Backend.Type)?, in plan: ServingPlan) -> Int? {
        let most = kind?.traits.mostRuns(openFiles: configuration.openFiles / max(1, plan.pools.count))
        return [pool.limit, plan.limit, most].compactMap(\.self).min()
    }

    /// Logs a warning if the ledger has runs of a pool that is not served.
    private func warnOfOthers(in ledger: RunLedger, _ plan: ServingPlan, _ logger: Logger) {
        let others = Dictionary(grouping: ledger.entries, by: \.pool).filter { !plan.names.contains($0.key) }
        for (pool, entries) in others.sorted(by: { $0.key < $1.key }) {
            logger.warning(
                """
                \(entries.count) flow runs of work pool '\(pool)' are recorded in this worker's state directory, but are \
                not watched. Serve that pool too, or start a worker for it with this --state-dir
                """)
        }
    }
}
