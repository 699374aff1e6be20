internal import HTTPTransport
internal import Logging
internal import PrefectConcurrency

/// The ways in which a daemon ends: after a drain, when it is idle, and within the time limits of a shutdown.
extension WorkerDaemon {
    /// Takes no more runs when an operator has requested a drain. The worker ends after its last run.
    func followDrain() async {
        guard let limit = await services.claiming.waitForDrain() else { return }
        for pool in pools { pool.retire() }
        guard let limit else { return }
        await stopRuns(after: limit, named: "time limit of the drain")
    }

    /// Stops the runs in flight after a time, unless they are stopped before.
    private func stopRuns(after limit: Duration, named name: String) async {
        await services.shutdown.sleep(for: limit, orUntil: .stopping)
        guard !Task.isCancelled, services.shutdown.phase < .stopping else { return }
        services.logger.warning("The \(name) has expired: stopping \(Self.count(runsInFlight))")
        services.shutdown.advance(to: .stopping)
    }

    /// Shuts the worker down when all pools have been idle for long enough.
    func endWhenIdle() async {
        guard let idleLimit else { return }
        while (try? await Task.sleep(for: max(.milliseconds(10), min(.seconds(1), idleLimit / 4)))) != nil {
            guard isServing, runsInFlight == 0, !pools.isEmpty,
                pools.allSatisfy({ $0.state.idleTime >= idleLimit })
            else { continue }
            services.logger.info("No flow run was due or in flight for \(idleLimit.secondsText): exiting")
            return services.shutdown.advance(to: .draining)
        }
    }

    /// Makes sure that a shutdown ends the worker, regardless of any operation in progress.
    func limitShutdown() async {
        await services.shutdown.wait(for: .draining)
        guard !services.shutdown.isServing else { return }
        if runsInFlight == 0 {
            // No run depends on the unfinished work, so the worker waits for no API, socket or program.
            try? await Task.sleep(for: services.idleExitLimit)
            return warnUndelivered()
        }
        if let drainTimeout {
            await stopRuns(after: drainTimeout, named: "drain timeout")
        } else {
            await services.shutdown.wait(for: .stopping)
        }
        guard services.shutdown.phase >= .stopping else { return }
        let grace = pools.map(\.served.stopGrace).max() ?? .zero
        try? await Task.sleep(for: grace + services.flushTimeout)
        warnUndelivered()
    }

    func warnUndelivered() {
        guard !Task.isCancelled else { return }
        services.logger.warning("Exiting with undelivered state updates, logs or events")
    }
}
