internal import PrefectAPI

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
    private let firstRefusal = Live<String?>(nil)

    private let whole: ShutdownSignal?

    /// A signal for a worker that serves, or for a part of it, which is never behind the whole.
    public init(within whole: ShutdownSignal? = nil) { self.whole = whole }

    /// The current phase.
    public var phase: Phase { max(current.value, whole?.phase ?? .serving) }

    /// Whether the worker still takes runs.
    public var isServing: Bool { phase == .serving }

    /// Goes forward to a phase; going back has no effect.
    public func advance(to phase: Phase) {
        current.update { $0 = max($0, phase) }
    }

    /// Ends the worker for something that the operator has to correct, in one line. It takes no more runs, and leaves those
    /// in flight to the next start: they are none the worse for it. The first reason counts.
    public func refuse(_ reason: String) {
        firstRefusal.update { $0 = $0 ?? reason }
        advance(to: .draining)
    }

    /// The reason that the operator has to correct, if the worker ends for one.
    public var refusal: String? { firstRefusal.value }

    /// Goes one phase forward, as each signal of the operator does.
    public func escalate() {
        advance(to: Phase(rawValue: phase.rawValue + 1) ?? .stopping)
    }

    /// Waits until a phase is reached, or for the task's cancellation.
    public func wait(for phase: Phase) async {
        guard let whole else { return await current.wait { $0 >= phase } }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.current.wait { $0 >= phase } }
            group.addTask { await whole.wait(for: phase) }
            await group.next()
            group.cancelAll()
        }
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

    /// Does something that nobody waits for once the worker shuts down: it is cancelled then, and `nil` is returned.
    public func whileServing<Result: Sendable>(
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result? {
        guard isServing else { return nil }
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                await self.wait(for: .draining)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
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
