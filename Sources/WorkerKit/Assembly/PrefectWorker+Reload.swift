internal import BackendKit
package import Logging
public import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON

/// The difference that other settings make for a worker.
package struct SettingsChange: Sendable {
    /// The names of the settings that differ, sorted.
    package let names: [String]
    /// Whether some of them are applied only at the start.
    package let needsRestart: Bool
}

extension PrefectWorker {
    /// Puts other settings and another plan in force. They apply to everything that begins after that, and runs in
    /// flight are not affected. Returns when each new pool of the plan is served or refused; a refusal is logged.
    ///
    /// - Parameters:
    ///   - settings: The settings. Changes of TLS, HTTP/2 and the delivery of logs to the API need a restart.
    ///   - plan: The plan; `nil` to keep the plan in force. The types of pools and the names of workers stay as they
    ///     are.
    /// - Throws: ``WorkerRefusal`` if the settings name no API. Nothing has changed then.
    public func reload(_ settings: PrefectSettings, plan: ServingPlan? = nil) async throws {
        let logger = logger("prefect.worker")
        try await replaceSettings(with: settings)
        guard let plan else { return }
        let cause = "Reload"
        await withDiscardingTaskGroup { additions in
            for pool in change(to: plan, because: cause, logger) {
                additions.addTask { await self.add(pool, because: cause, logger) }
            }
        }
    }

    /// Puts other settings in force.
    @discardableResult
    package func replaceSettings(with fresh: PrefectSettings) async throws -> SettingsChange {
        guard let client = APIClient.Configuration(settings: fresh) else {
            throw WorkerRefusal("PREFECT_API_URL is not set")
        }
        let needsRestart = TransportSettings(fresh) != TransportSettings(live.current)
        let names = live.replace(with: fresh)
        await self.client.reconfigure(client)
        probes.daemon?.reconnect()
        settingsEnvironment.update { $0 = fresh.environmentForJobs() }
        for pool in probes.daemon?.pools ?? [] {
            pool.live.update { $0.take(fresh, prefetchSeconds: configuration.prefetchSeconds) }
        }
        return SettingsChange(names: names, needsRestart: needsRestart)
    }

    /// Applies another plan to the pools that are already served. Returns the new pools. `cause` begins each log line.
    package func change(to fresh: ServingPlan, because cause: String, _ logger: Logger) -> [ServingPlan.Pool] {
        guard let serving = serving.value else { return [] }
        let before = serving.plan.value
        let fresh = fresh.keepingIdentities(of: before) { logger.warning("\(cause): \($0)") }
        serving.plan.update { $0 = fresh }
        serving.slots.setLimit(fresh.limit)
        for pool in before.pools where !fresh.names.contains(pool.name) {
            logger.info("\(cause): work pool '\(pool.name)' is no longer served; its runs in flight are watched")
            serving.daemon.retire(pool: pool.name)
        }
        var added: [ServingPlan.Pool] = []
        for pool in fresh.pools {
            guard let old = before.pools.first(where: { $0.name == pool.name }) else {
                added.append(pool)
                continue
            }
            guard old != pool || before.limit != fresh.limit || before.pools.count != fresh.pools.count else {
                continue
            }
            serving.daemon.change(pool: pool.name) { served in
                served.queues = pool.queues
                served.allowedJobVariables = Set(pool.allowedJobVariables)
                served.limit = limit(of: pool, serving.kinds.value[pool.name], in: fresh)
            }
            if old != pool { logger.info("\(cause): work pool '\(pool.name)' is served with its new options") }
        }
        return added
    }

    /// Serves another pool as soon as the API describes it. If the pool cannot be served, the error is logged, and the
    /// next reload tries again.
    package func add(_ pool: ServingPlan.Pool, because cause: String, _ logger: Logger) async {
        guard let serving = serving.value else { return }
        // If the pool was served earlier, its runs from that time are watched to their end first.
        await serving.daemon.waitUntilGone(pool: pool.name)
        do {
            let isWanted: @Sendable () -> Bool = { serving.plan.value.names.contains(pool.name) }
            guard let found = try await discover(pool, logger, while: isWanted), isWanted() else { return }
            let kind = found.kind
            let backend = try serving.backends.value[kind.traits.type] ?? kind.make(for: serving.backendHost)
            if let problem = await BackendChecks.permanentProblem(
                of: backend, templates: [template(of: found)].compactMap(\.self), logger)
            {
                throw WorkerRefusal(problem.detail)
            }
            // Another pool of the type may have been added meanwhile.
            let isFresh = serving.backends.update { backends in
                guard backends[kind.traits.type] == nil else { return false }
                backends[kind.traits.type] = backend
                return true
            }
            let worker = makeWorker(found, in: serving) { [self, serving] reason in
                logger.error("Work pool '\(pool.name)' is not served: \(reason)")
                forget(pool, in: serving)
                serving.daemon.retire(pool: pool.name)
            }
            guard let worker else { return }
            logger.info("\(cause): work pool '\(pool.name)' is served as well")
            serving.daemon.add(worker, on: isFresh ? backend : nil)
        } catch {
            if !(error is CancellationError) { logger.error("Work pool '\(pool.name)' is not served: \(error)") }
            forget(pool, in: serving)
        }
    }

    private func forget(_ pool: ServingPlan.Pool, in serving: Serving) {
        serving.plan.update { plan in plan.pools.removeAll { $0.name == pool.name } }
    }
}

extension ServingPlan {
    /// Returns the plan with the types and names that another plan has for the same pools. Those change only with a
    /// restart.
    fileprivate func keepingIdentities(of before: ServingPlan, _ warn: (String) -> Void) -> ServingPlan {
        var plan = self
        func keep(_ old: String?, in new: inout String?, _ what: String) {
            guard old != new else { return }
            warn("\(what) stays \(old.map { "'\($0)'" } ?? "as it was"); it changes with a restart only")
            new = old
        }
        keep(before.workerName, in: &plan.workerName, "the worker's name")
        for (index, pool) in plan.pools.enumerated() {
            guard let old = before.pools.first(where: { $0.name == pool.name }) else { continue }
            keep(old.type, in: &plan.pools[index].type, "the type of work pool '\(pool.name)'")
            keep(old.workerName, in: &plan.pools[index].workerName, "the worker's name in work pool '\(pool.name)'")
        }
        return plan
    }
}

extension ServedPool {
    /// Applies the settings that control how a pool is served.
    mutating func take(_ settings: PrefectSettings, prefetchSeconds: Int?) {
        pollInterval = .pause(seconds: settings.worker.querySeconds)
        prefetch = .pause(seconds: prefetchSeconds.map(Double.init) ?? settings.worker.prefetchSeconds.rounded(.down))
        heartbeatInterval = .pause(seconds: settings.worker.heartbeatSeconds)
        cancellationPollInterval = settings.cancellationPollInterval
    }
}

extension PrefectSettings {
    /// The interval at which runs in flight are checked for a cancellation: the configured one, or else five seconds.
    /// Prefect's own default of two minutes has another purpose, because its worker gets cancellations of running flows
    /// over a socket.
    package var cancellationPollInterval: Duration {
        source(of: "PREFECT_WORKER_CANCELLATION_POLL_SECONDS") == .default
            ? .seconds(5) : .pause(seconds: worker.cancellationPollSeconds)
    }
}

/// The settings that are applied only at the start.
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
