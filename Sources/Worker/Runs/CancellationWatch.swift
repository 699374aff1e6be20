internal import Logging
internal import PrefectAPI

/// Finds out which of the runs in flight are being cancelled, and has them stopped.
struct CancellationWatch: Sendable {
    let live: Live<ServedPool>
    let services: WorkerServices
    let registry: RunRegistry

    private var served: ServedPool { live.value }

    /// Looks for cancellations while there are runs, until its task is cancelled.
    func run() async {
        while !Task.isCancelled {
            guard registry.count > 0 else {
                await registry.waitForRegistration()
                continue
            }
            let pause = Jitter.clampedPoisson(
                mean: served.cancellationPollInterval.inSeconds, factor: 0.3, random: .random(in: 0..<1))
            try? await Task.sleep(for: .seconds(pause))
            if !Task.isCancelled { await look() }
        }
    }

    private func look() async {
        let ids = registry.all.filter { $0.stopReason == nil && $0.stage != .due }.map(\.id)
        guard !ids.isEmpty else { return }
        do {
            for run in try await services.api.cancellingFlowRuns(among: ids) {
                registry.run(run.id)?.requestStop(.cancelled)
            }
        } catch {
            services.logger.debug("Cancellations could not be looked up, trying again: \(error)")
        }
    }
}
