/// How far the worker is on its way out; every part of it asks this one thing.
public final class ShutdownSignal: Sendable {
    /// The way out, step by step; it is only ever gone forward.
    public enum Phase: Int, Sendable, Hashable, Comparable {
        /// Runs are taken and watched.
        case serving
        /// No run is taken any more; those in flight are watched to their end, or left to the next worker if they are to
        /// outlive this one.
        case draining
        /// Runs that would die with the worker are stopped with their grace.
        case stopping

        public static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }
    }

    private let current = Live(Phase.serving)

    /// A signal for a worker that serves.
    public init() {}

    /// The current phase.
    public var phase: Phase { current.value }

    /// Whether the worker still takes runs.
    public var isServing: Bool { phase == .serving }

    /// Goes forward to a phase; going back has no effect.
    public func advance(to phase: Phase) {
        current.update { $0 = max($0, phase) }
    }

    /// Goes one phase forward, as each signal of the operator does.
    public func escalate() {
        advance(to: Phase(rawValue: phase.rawValue + 1) ?? .stopping)
    }

    /// Waits until a phase is reached, or for the task's cancellation.
    public func wait(for phase: Phase) async {
        await current.wait { $0 >= phase }
    }

    /// Pauses between two attempts at the same thing: as long as is good for the API while the worker serves, and not
    /// for long when it is on its way out, where every attempt may be the last.
    public func pause(_ duration: Duration) async throws {
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

    /// Sleeps, at most until a phase is reached.
    public func sleep(for duration: Duration, orUntil phase: Phase = .draining) async {
        guard self.phase < phase else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await Task.sleep(for: duration) }
            group.addTask { await self.wait(for: phase) }
            await group.next()
            group.cancelAll()
        }
    }
}
