internal import PrefectClient
internal import PrefectConcurrency

/// The progress of the worker's shutdown. Every part of the worker refers to this one object.
package final class ShutdownSignal: Sendable {
    /// The phases of a shutdown in their order; the phase never moves back.
    package enum Phase: Int, Sendable, Hashable, Comparable {
        /// The worker takes and watches runs.
        case serving
        /// The worker takes no more runs. It watches the runs in flight until they end, or passes them to the next
        /// worker if they are to outlive this one.
        case draining
        /// The worker stops runs that would die with it, and respects their grace period.
        case stopping

        package static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }
    }

    private let current = ObservedValue(Phase.serving)
    private let firstRefusal = ObservedValue<String?>(nil)

    private let whole: ShutdownSignal?

    /// A signal for a worker that serves or, with `whole`, for a part of it. A part is never behind the whole.
    package init(within whole: ShutdownSignal? = nil) { self.whole = whole }

    /// The current phase.
    package var phase: Phase { max(current.value, whole?.phase ?? .serving) }

    /// Whether the worker still takes runs.
    package var isServing: Bool { phase == .serving }

    /// Advances to a phase; an earlier phase has no effect.
    package func advance(to phase: Phase) {
        current.update { $0 = max($0, phase) }
    }

    /// Shuts the worker down for a reason that the operator has to correct, in one line. The worker takes no more runs,
    /// and passes those in flight unharmed to its next start. The first reason counts.
    package func refuse(_ reason: String) {
        firstRefusal.update { $0 = $0 ?? reason }
        advance(to: .draining)
    }

    /// The reason that the operator has to correct, if the worker ends for one.
    package var refusal: String? { firstRefusal.value }

    /// Advances by one phase, as each signal of the operator does.
    package func escalate() {
        advance(to: Phase(rawValue: phase.rawValue + 1) ?? .stopping)
    }

    /// Waits until a phase is reached, or until the task is cancelled.
    package func wait(for phase: Phase) async {
        guard let whole else { return await current.wait { $0 >= phase } }
        await raceOf({ await self.current.wait { $0 >= phase } }, { await whole.wait(for: phase) })
    }

    /// Pauses between two attempts at the same operation. While the worker serves, the pause is as long as the API
    /// needs. During a shutdown it is short, because every attempt may be the last.
    package func pause(_ duration: Duration) async throws {
        let short = Duration.seconds(2)
        switch phase {
        case .serving where duration > short:
            await sleep(for: duration)
            try Task.checkCancellation()
        case .serving: try await Task.sleep(for: duration)
        case .draining: try await Task.sleep(for: min(duration, .seconds(5)))
        case .stopping: try await Task.sleep(for: min(duration, short))
        }
    }

    /// Performs an operation that a worker in shutdown does not need. A shutdown cancels it, and the method returns
    /// `nil`.
    package func whileServing<Result: Sendable>(
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result? {
        guard isServing else { return nil }
        return try await raceOf(
            { try await body() },
            {
                await self.wait(for: .draining)
                return nil
            })
    }

    /// Sleeps, at most until a phase is reached.
    package func sleep(for duration: Duration, orUntil phase: Phase = .draining) async {
        guard self.phase < phase else { return }
        await raceOf({ try? await Task.sleep(for: duration) }, { await self.wait(for: phase) })
    }
}
