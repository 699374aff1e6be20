internal import PrefectConcurrency
internal import Synchronization

/// A service whose tasks are watched.
public protocol TaskSource: Sendable {
    /// The state of a task, as the service describes it.
    associatedtype Status: Sendable, Equatable
    /// A change that the service reports by itself; `Never` for a service that is only polled.
    associatedtype Event: Sendable

    /// Describes tasks. A task that does not exist is not in the answer. Throws when the service gives no answer; the
    /// watch then describes the tasks again later.
    func describe(_ tasks: [String]) async throws -> [String: Status]

    /// Whether a task has ended.
    func hasEnded(_ status: Status) -> Bool

    /// Passes the events of the service on to the watch, until its task is cancelled: ``TaskWatch/connected()``,
    /// ``TaskWatch/disconnected()``, ``TaskWatch/changed(_:)``, ``TaskWatch/happened(_:to:)``. Returns at once for a
    /// service without events, as by default, and for one whose events come from elsewhere.
    func followEvents(for watch: TaskWatch<Self>) async
}

extension TaskSource {
    /// Does nothing: the source has no events.
    public func followEvents(for watch: TaskWatch<Self>) async {}
}

/// Watches the tasks of a service until they end, while ``run()`` runs. The status of a task counts, in a description by
/// the service or in a report of its stream. Other events only make the watch faster.
public final class TaskWatch<Source: TaskSource>: Sendable {
    /// A notification about a task. It is indirect, because the task of each run in flight has room for one.
    public indirect enum Notice: Sendable {
        /// The service has reported a change.
        case event(Source.Event)
        /// The task has this status now.
        case status(Source.Status)
        /// The task has ended with this status; without a status, the task does not exist any more. Only events may
        /// follow.
        case end(Source.Status?)
    }

    private struct Observed {
        var observers: [Int: AsyncStream<Notice>.Continuation] = [:]
        var status: Source.Status?
    }

    private struct State {
        var watch: WatchState
        var observed: [String: Observed] = [:]
        var lastObserver = 0
    }

    /// The service.
    public let source: Source
    private let state: Mutex<State>
    private let requests: AsyncStream<(call: Int, tasks: [String])>
    private let request: AsyncStream<(call: Int, tasks: [String])>.Continuation
    private let changed = AsyncSignal()

    /// A watch.
    ///
    /// - Parameter isConnected: Whether tasks are described before the service reports ``connected()``. `true` for a
    ///   service without events.
    public init(_ source: Source, _ policy: WatchPolicy, isConnected: Bool = true) {
        self.source = source
        state = Mutex(State(watch: WatchState(policy, isConnected: isConnected, at: .now)))
        (requests, request) = AsyncStream.makeStream()
    }

    /// For how long changes may have been missed; zero while the watch covers all tasks.
    public var lag: Duration { state.withLock { $0.watch.lag(at: .now) } }

    /// The number of watched tasks.
    public var count: Int { state.withLock { $0.watch.count } }

    /// Whether events arrive.
    public var isConnected: Bool { state.withLock { $0.watch.isConnected } }

    /// The notifications about a task, beginning with its current status, until the stream is dropped.
    ///
    /// - Parameter isDeferred: Whether the task is not described before ``release(_:)``, because the service may not know it
    ///   yet, or reports it by itself.
    public func notices(of task: String, isDeferred: Bool = false) -> AsyncStream<Notice> {
        let (stream, continuation) = AsyncStream.makeStream(of: Notice.self)
        let number = state.withLock { state in
            state.lastObserver += 1
            state.observed[task, default: Observed()].observers[state.lastObserver] = continuation
            if let status = state.observed[task]?.status { continuation.yield(.status(status)) }
            return state.lastObserver
        }
        continuation.onTermination = { [weak self] _ in self?.forget(task, number) }
        handle(isDeferred ? .deferred(task) : .watched(task))
        return stream
    }

    /// Lets a deferred task be described, if it may have changed and the stream has not reported it since.
    public func release(_ task: String) { handle(.released(task)) }

    /// Waits until a task has ended or does not exist any more; `false` when the caller's task was cancelled before.
    public func waitForEnd(of task: String) async -> Bool {
        for await notice in notices(of: task) {
            if case .end = notice { return true }
        }
        return false
    }

    /// Waits until a task has ended or does not exist any more, for at most `limit`. Returns whether it has. Throws
    /// `CancellationError` when the caller's task was cancelled.
    public func waitForEnd(of task: String, within limit: Duration) async throws -> Bool {
        let hasEnded = await raceOf(
            { await self.waitForEnd(of: task) },
            {
                try? await Task.sleep(for: limit)
                return false
            })
        try Task.checkCancellation()
        return hasEnded
    }

    private func forget(_ task: String, _ number: Int) {
        handle(.forgotten(task)) { state in
            state.observed[task]?.observers[number] = nil
            guard state.observed[task]?.observers.isEmpty == true else { return false }
            state.observed[task] = nil
            return true
        }
    }

    // MARK: Inputs

    /// Records that events arrive from now on. All tasks are described, because changes may have been missed.
    public func connected() { handle(.connected) }

    /// Records that events arrive from now on, and that they have reported each change meanwhile. Only the tasks are
    /// described that may have changed since, according to ``changed(_:)``, and of which there was no report.
    public func resumed() { handle(.resumed) }

    /// Records that events do not arrive any more. Until ``connected()`` or ``resumed()``, no task is described.
    public func disconnected() { handle(.disconnected) }

    /// Records that a task has changed, so that it is described. Without a name, any task may have changed.
    public func changed(_ task: String?) { handle(.changed(task)) }

    /// Records the status of a task that the service's stream has sent. It is as good as a later description.
    public func reported(_ status: Source.Status, of task: String) {
        handle(.reported(task, finding(status))) { state in
            guard state.watch.isWatched(task) else { return false }
            note(status, of: task, in: &state)
            return true
        }
    }

    /// Passes an event on to those who observe the task.
    public func happened(_ event: Source.Event, to task: String) {
        state.withLock { state in
            for observer in state.observed[task]?.observers.values ?? [:].values { observer.yield(.event(event)) }
        }
    }

    // MARK: Watching

    /// Watches until the task is cancelled.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.source.followEvents(for: self) }
            group.addTask { await self.keepTime() }
            for await (call, tasks) in requests { group.addTask { await self.describe(tasks, call) } }
            group.cancelAll()
        }
    }

    private func keepTime() async {
        while !Task.isCancelled {
            if state.withLock({ $0.watch.dependsOnTime }) {
                try? await Task.sleep(for: .seconds(1))
                handle(.tick)
            } else {
                await changed.wait()
            }
        }
    }

    private func describe(_ tasks: [String], _ call: Int) async {
        do {
            let found = try await source.describe(tasks)
            handle(.described(call: call, found.mapValues { finding($0) })) { state in
                for (task, status) in found where state.watch.covers(task, in: call) {
                    note(status, of: task, in: &state)
                }
                return true
            }
        } catch {
            handle(.failed(call: call))
        }
    }

    private func finding(_ status: Source.Status) -> WatchState.Finding { source.hasEnded(status) ? .ended : .present }

    /// Keeps the status of a task. Passes it on if it is new, unless the end of the task follows.
    private func note(_ status: Source.Status, of task: String, in state: inout State) {
        guard let observed = state.observed[task], observed.status != status else { return }
        state.observed[task]?.status = status
        guard !source.hasEnded(status) else { return }
        for observer in observed.observers.values { observer.yield(.status(status)) }
    }

    /// Handles an input, if a condition holds.
    private func handle(_ input: WatchState.Input, if condition: (inout State) -> Bool = { _ in true }) {
        // The lock keeps the notifications in the order of the inputs, which come from several tasks.
        let isHandled = state.withLock { state in
            guard condition(&state) else { return false }
            for action in state.watch.handle(input, at: .now) {
                switch action {
                case .describe(let call, let tasks): request.yield((call, tasks))
                case .end(let task, let isGone):
                    guard let observed = state.observed[task] else { continue }
                    state.observed[task]?.status = nil
                    for observer in observed.observers.values { observer.yield(.end(isGone ? nil : observed.status)) }
                }
            }
            return true
        }
        if isHandled { changed.signal() }
    }
}
