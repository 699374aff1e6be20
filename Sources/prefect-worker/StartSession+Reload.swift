import Logging
import PrefectClient
import PrefectConcurrency
import Systemd
import WorkerKit

extension StartSession {
    /// The beginning of each log line about a reload.
    private static var cause: String { "Received SIGHUP" }

    /// Reloads settings, credentials, the profile and the file of the pools with each request. They apply to everything
    /// that begins after that, and runs in flight are not affected. Sources that cannot be read change nothing.
    func followReloads(on requests: AsyncStream<Void>, _ request: Request, _ logger: Logger) async {
        await withDiscardingTaskGroup { additions in
            for await _ in requests {
                // A service may report that it reloads its settings only after it has reported that it is ready.
                let notifies = worker.probes.daemon?.isSynchronized == true && worker.shutdown.isServing
                if notifies { ServiceManager.notify([.reloading]) }
                await reloadSettings(logger)
                if worker.isServingPools, let fresh = readPlan(request, logger) {
                    for pool in worker.change(to: fresh, because: Self.cause, logger) {
                        additions.addTask { await worker.add(pool, because: Self.cause, logger) }
                    }
                }
                if notifies { ServiceManager.notify([.ready]) }
            }
        }
    }

    private func reloadSettings(_ logger: Logger) async {
        do {
            let fresh = try loadSettings()
            let change = try await worker.replaceSettings(with: fresh)
            for warning in fresh.warnings { logger.warning("\(warning)") }
            let what = change.names.isEmpty ? "nothing has changed" : "changed: \(change.names.joined(separator: ", "))"
            logger.info("\(Self.cause): the settings were read again; \(what)")
            if change.needsRestart {
                logger.warning(
                    "Changes of TLS, HTTP/2, the probes' address and the delivery of logs to the API need a restart")
            }
        } catch {
            logger.error("\(Self.cause): the settings stay as they were: \(error)")
        }
    }

    private func readPlan(_ request: Request, _ logger: Logger) -> ServingPlan? {
        do {
            return try request.readPlan?()
        } catch {
            logger.error("\(Self.cause): the pools stay as they were: \(error)")
            return nil
        }
    }
}
