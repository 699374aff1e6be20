internal import BackendKit
internal import FoundationEssentials
internal import Logging
internal import PrefectClient
internal import PrefectConcurrency

/// Looks up which of the runs in flight are being cancelled, and requests that they stop.
struct CancellationWatch: Sendable {
    let live: ObservedValue<ServedPool>
    let services: WorkerServices
    let registry: RunRegistry
    private let hint = AsyncSignal()

    /// The factor by which lookups are less frequent while the API sends notifications of cancellations.
    private static let patience = 6.0

    init(live: ObservedValue<ServedPool>, services: WorkerServices, registry: RunRegistry) {
        self.live = live
        self.services = services
        self.registry = registry
    }

    /// Looks up cancellations while runs are active, until the task is cancelled.
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
            // After a failure the pause is short, because a user may wait for the cancellation that the lookup missed.
            let backoff = Backoff(from: .seconds(2), to: .seconds(32)).pause(afterFailures: failures)
            await hint.wait(atMost: failures > 0 ? min(.seconds(pause), backoff) : .seconds(pause))
            if Task.isCancelled { return }
            failures = await look() ? 0 : failures + 1
        }
    }

    /// Looks up cancellations at once: a notification has arrived, or may have been missed.
    func lookNow() { hint.signal() }

    /// Looks up cancellations once. Returns `false` when the API did not answer.
    private func look() async -> Bool {
        let ids = registry.all.filter { $0.stopReason == nil }.map(\.id)
        guard !ids.isEmpty else { return true }
        do {
            for run in try await services.api.readFlowRuns(
                among: ids.compactMap { UUID(uuidString: $0) }, inStates: [.cancelling], effort: .once)
            {
                registry.run(run.id.text)?.requestStop(.cancelled)
            }
            return true
        } catch {
            services.logger.debug("Cancellations could not be looked up, trying again: \(error)")
            return false
        }
    }
}
