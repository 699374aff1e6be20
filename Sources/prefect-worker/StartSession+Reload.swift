import BackendKit
import Concurrency
import JSON
import Logging
import PrefectAPI
import Systemd
import Worker

extension StartSession {
    /// Reloads settings, credentials, the profile and the file of the pools with each request. They apply to everything
    /// that begins after that, and runs in flight are not affected. Sources that cannot be read change nothing.
    func followReloads(on requests: AsyncStream<Void>, _ request: Request, _ logger: Logger) async {
        await withDiscardingTaskGroup { additions in
            for await _ in requests {
                // A service may report that it reloads its settings only after it has reported that it is ready.
                let notifies = probes.daemon?.isSynchronized == true && shutdown.isServing
                if notifies { ServiceManager.notify([.reloading]) }
                await reloadSettings(request, logger)
                if let serving = serving.value, let fresh = readPlan(request, logger) {
                    for pool in change(serving, to: fresh, request, logger) {
                        additions.addTask { await add(pool, to: serving, request, logger) }
                    }
                }
                if notifies { ServiceManager.notify([.ready]) }
            }
        }
    }

    private func reloadSettings(_ request: Request, _ logger: Logger) async {
        do {
            let fresh = try loadSettings()
            guard let configuration = APIClient.Configuration(settings: fresh) else {
                return logger.error("Received SIGHUP: the settings stay as they were: PREFECT_API_URL is not set")
            }
            for warning in fresh.warnings { logger.warning("\(warning)") }
            let needsRestart = TransportSettings(fresh) != TransportSettings(live.current)
            let changed = live.replace(with: fresh)
            await client.reconfigure(configuration)
            probes.daemon?.reconnect()
            settingsEnvironment.update { $0 = fresh.environmentForJobs() }
            for pool in probes.daemon?.pools ?? [] {
                pool.live.update { $0.take(fresh, prefetchSeconds: request.prefetchSeconds) }
            }
            let what = changed.isEmpty ? "nothing has changed" : "changed: \(changed.joined(separator: ", "))"
            logger.info("Received SIGHUP: the settings were read again; \(what)")
            if needsRestart {
                logger.warning(
                    "Changes of TLS, HTTP/2, the probes' address and the delivery of logs to the API need a restart")
            }
        } catch {
            logger.error("Received SIGHUP: the settings stay as they were: \(error)")
        }
    }

    // MARK: The file of the pools

    private func readPlan(_ request: Request, _ logger: Logger) -> ServingPlan? {
        do {
            return try request.readPlan?()
        } catch {
            logger.error("Received SIGHUP: the pools stay as they were: \(error)")
            return nil
        }
    }

    /// Applies another plan to the pools that are already served. Returns the new pools.
    private func change(
        _ serving: Serving, to fresh: ServingPlan, _ request: Request, _ logger: Logger
    ) -> [ServingPlan.Pool] {
        let before = serving.plan.value
        let fresh = fresh.keepingIdentities(of: before) { logger.warning("Received SIGHUP: \($0)") }
        serving.plan.update { $0 = fresh }
        serving.slots.setLimit(fresh.limit)
        for pool in before.pools where !fresh.names.contains(pool.name) {
            logger.info("Received SIGHUP: work pool '\(pool.name)' is no longer served; its runs in flight are watched")
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
                served.limit = limit(of: pool, serving.kinds.value[pool.name], in: fresh, request)
            }
            if old != pool { logger.info("Received SIGHUP: work pool '\(pool.name)' is served with its new options") }
        }
        return added
    }

    /// Serves another pool as soon as the API describes it. If the pool cannot be served, the error is logged, and the
    /// next reload tries again.
    private func add(_ pool: ServingPlan.Pool, to serving: Serving, _ request: Request, _ logger: Logger) async {
        // If the pool was served earlier, its runs from that time are watched to their end first.
        await serving.daemon.waitUntilGone(pool: pool.name)
        do {
            let isWanted: @Sendable () -> Bool = { serving.plan.value.names.contains(pool.name) }
            guard let found = try await discover(pool, request, logger, while: isWanted), isWanted() else { return }
            let kind = found.kind
            let backend = try serving.backends.value[kind.traits.type] ?? kind.make(for: serving.backendHost)
            if let problem = await Backends.permanentProblem(
                of: backend, templates: [found.template(api: client)].compactMap(\.self), logger)
            {
                throw Refusal(problem.detail)
            }
            // Another pool of the type may have been added meanwhile.
            let isFresh = serving.backends.update { backends in
                guard backends[kind.traits.type] == nil else { return false }
                backends[kind.traits.type] = backend
                return true
            }
            let worker = makeWorker(request, found, in: serving) { [serving] reason in
                logger.error("Work pool '\(pool.name)' is not served: \(reason)")
                forget(pool, in: serving)
                serving.daemon.retire(pool: pool.name)
            }
            guard let worker else { return }
            logger.info("Received SIGHUP: work pool '\(pool.name)' is served as well")
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
