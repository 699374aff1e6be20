internal import Logging
internal import PrefectAPI

/// Finds out which of the runs in flight are being cancelled, and has them stopped.
struct CancellationWatch: Sendable {
    let live: Live<ServedPool>
    let services: WorkerServices
    let registry: RunRegistry
    private let hint = Wakeup()

    /// While the API tells of cancellations, they are looked for so much more rarely.
    private static let patience = 6.0

    init(live: Live<ServedPool>, services: WorkerServices, registry: RunRegistry) {
        self.live = live
        self.services = services
        self.registry = registry
    }

    /// Looks for cancellations while there are runs, until its task is cancelled.
    func run() async {
        await services.api.reachability.whileObserving({ lookNow() }) { await keepLooking() }
    }

    private func keepLooking() async {
        var failures = 0
        while !Task.isCancelled {
            guard registry.count > 0 else {
                await registry.waitForRegistration()
                continue
            }
            let interval = live.value.cancellationPollInterval.inSeconds
            let pause = Jitter.clampedPoisson(
                mean: services.feed.connection.isLive ? interval * Self.patience : interval, factor: 0.3,
                random: .random(in: 0..<1))
            // A look that failed may have been the one that somebody waits for.
            await hint.wait(atMost: .seconds(failures > 0 ? min(pause, Double(1 << min(failures, 5))) : pause))
            if Task.isCancelled { return }
            failures = await look() ? 0 : failures + 1
        }
    }

    /// Looks at once: a run is said to be cancelled, or that could have gone unheard.
    func lookNow() { hint.signal() }

    /// Returns whether the API said which runs are being cancelled.
    private func look() async -> Bool {
        let ids = registry.all.filter { $0.stopReason == nil }.map(\.id)
        guard !ids.isEmpty else { return true }
        do {
            for run in try await services.api.flowRuns(among: ids, inState: "CANCELLING") {
                registry.run(run.id)?.requestStop(.cancelled)
            }
            return true
        } catch {
            services.logger.debug("Cancellations could not be looked up, trying again: \(error)")
            return false
        }
    }
}
