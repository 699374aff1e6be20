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
        while !Task.isCancelled {
            guard registry.count > 0 else {
                await registry.waitForRegistration()
                continue
            }
            let interval = live.value.cancellationPollInterval.inSeconds
            let pause = Jitter.clampedPoisson(
                mean: services.feed.connection.isLive ? interval * Self.patience : interval, factor: 0.3,
                random: .random(in: 0..<1))
            await hint.wait(atMost: .seconds(pause))
            if !Task.isCancelled { await look() }
        }
    }

    /// Looks at once: a run is said to be cancelled, or that could have gone unheard.
    func lookNow() { hint.signal() }

    private func look() async {
        let ids = registry.all.filter { $0.stopReason == nil }.map(\.id)
        guard !ids.isEmpty else { return }
        do {
            for run in try await services.api.flowRuns(among: ids, inState: "CANCELLING") {
                registry.run(run.id)?.requestStop(.cancelled)
            }
        } catch {
            services.logger.debug("Cancellations could not be looked up, trying again: \(error)")
        }
    }
}
