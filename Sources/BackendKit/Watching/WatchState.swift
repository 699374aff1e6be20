internal import OrderedCollections
internal import PrefectConcurrency

/// The state of a watch of tasks, as a value without a clock: its owner passes the time with each input.
///
/// Only a description that was requested after the watch of a task began is evidence of its end, or a status from the
/// service's stream. A service that does not answer is none. Another event only causes a description.
struct WatchState: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// The state of a task that exists, in a description.
    enum Finding: Sendable, Hashable {
        case present
        case ended
    }

    enum Input: Sendable, Hashable {
        /// Events arrive from now on, and changes may have been missed.
        case connected
        /// Events arrive from now on, and the stream has reported each change.
        case resumed
        /// Events do not arrive any more.
        case disconnected
        /// A task is watched.
        case watched(String)
        /// A task is watched, and not described before its release.
        case deferred(String)
        /// A deferred task may be described.
        case released(String)
        /// A task is no longer watched.
        case forgotten(String)
        /// A task has changed. Without a name, any task may have changed.
        case changed(String?)
        /// The stream has sent the state of a task.
        case reported(String, Finding)
        /// The answer to a description. A task that the service does not know is not in it.
        case described(call: Int, [String: Finding])
        /// A description was not answered.
        case failed(call: Int)
        /// Time has passed.
        case tick
    }

    enum Action: Sendable, Hashable {
        case describe(call: Int, [String])
        /// The task has ended, or does not exist any more.
        case end(String, isGone: Bool)
    }

    private struct Entry {
        let since: Instant
        /// When the task is to be described again; `nil` when only an event causes that.
        var due: Instant?
        /// The description under way that covers the task.
        var call: Int?
        /// Whether the task may have changed since that description was requested, or while the task was deferred.
        var isStale = false
        /// Whether the task is not described yet.
        var isDeferred = false
        /// How many descriptions in a row did not know the task.
        var absences = 0
        /// How many descriptions in a row were not answered.
        var failures = 0
    }

    private let policy: WatchPolicy
    private var entries: [String: Entry] = [:]
    /// The tasks to describe as soon as the policy permits, in their order.
    private var queue: OrderedSet<String> = []
    private var calls = 0
    /// The tasks that the descriptions under way cover.
    private var underWay: [Int: [String]] = [:]
    private var lastCall: Instant?
    private var disconnected: Instant?

    init(_ policy: WatchPolicy, isConnected: Bool, at now: Instant) {
        self.policy = policy
        disconnected = isConnected ? nil : now
    }

    var isConnected: Bool { disconnected == nil }

    /// Whether a task is watched.
    func isWatched(_ task: String) -> Bool { entries[task] != nil }

    /// Whether the answer to a description counts for a task. An answer from before a report, or before the task was
    /// watched again, does not.
    func covers(_ task: String, in call: Int) -> Bool { entries[task]?.call == call }

    /// The number of watched tasks.
    var count: Int { entries.count }

    /// Whether time alone can cause an action.
    var dependsOnTime: Bool { isConnected && (!queue.isEmpty || entries.values.contains { $0.due != nil }) }

    /// For how long changes may have been missed: since the loss of the events, or since a description became due.
    func lag(at now: Instant) -> Duration {
        if let disconnected { return now - disconnected }
        let oldest = entries.values.lazy.compactMap(\.due).min()
        return max(.zero, oldest.map { now - $0 } ?? .zero)
    }

    mutating func handle(_ input: Input, at now: Instant) -> [Action] {
        var actions: [Action] = []
        switch input {
        case .connected:
            disconnected = nil
            for task in entries.keys.sorted() { enqueue(task) }
        case .resumed:
            disconnected = nil
        case .disconnected:
            disconnected = disconnected ?? now
        case .watched(let task):
            if entries[task] == nil { entries[task] = Entry(since: now) }
            enqueue(task)
        case .deferred(let task):
            if entries[task] == nil { entries[task] = Entry(since: now, isDeferred: true) }
        case .released(let task):
            guard let entry = entries[task], entry.isDeferred else { break }
            entries[task]?.isDeferred = false
            entries[task]?.isStale = false
            if entry.isStale { enqueue(task) }
        case .forgotten(let task):
            remove(task)
        case .changed(let task?):
            enqueue(task)
        case .changed(nil):
            for task in entries.keys.sorted() { enqueue(task) }
        case .reported(let task, let finding):
            queue.remove(task)
            entries[task]?.isStale = false
            actions = take(finding, of: task, at: now)
        case .described(let call, let findings):
            for task in end(call) { actions += take(findings[task], of: task, at: now) }
        case .failed(let call):
            for task in end(call) { fail(task, at: now) }
        case .tick:
            for (task, entry) in entries where entry.call == nil && entry.due.map({ $0 <= now }) ?? false {
                enqueue(task)
            }
        }
        return actions + describe(at: now)
    }

    private mutating func enqueue(_ task: String) {
        guard let entry = entries[task] else { return }
        if entry.call == nil, !entry.isDeferred { queue.append(task) } else { entries[task]?.isStale = true }
    }

    private mutating func remove(_ task: String) {
        entries[task] = nil
        queue.remove(task)
    }

    /// Ends a description and returns the tasks for which its answer counts.
    private mutating func end(_ call: Int) -> [String] {
        (underWay.removeValue(forKey: call) ?? []).filter { covers($0, in: call) }
    }

    private mutating func fail(_ task: String, at now: Instant) {
        guard var entry = entries[task] else { return }
        entry.call = nil
        entry.isStale = false
        entry.failures += 1
        entry.due = now + policy.retries.pause(afterFailures: entry.failures)
        entries[task] = entry
    }

    private mutating func take(_ finding: Finding?, of task: String, at now: Instant) -> [Action] {
        guard var entry = entries[task] else { return [] }
        let isStale = entry.isStale
        entry.call = nil
        entry.isStale = false
        entry.failures = 0
        switch finding {
        case .ended?:
            remove(task)
            return [.end(task, isGone: false)]
        case .present?:
            entry.absences = 0
            entry.due = policy.interval(now - entry.since).map { now + $0 }
        case nil:
            entry.absences += 1
            guard entry.absences < policy.absences else {
                remove(task)
                return [.end(task, isGone: true)]
            }
            entry.due = now + policy.absencePause
        }
        entries[task] = entry
        if isStale { enqueue(task) }
        return []
    }

    /// Requests descriptions of the tasks in the queue, as far as the policy permits.
    private mutating func describe(at now: Instant) -> [Action] {
        var actions: [Action] = []
        while isConnected, !queue.isEmpty, underWay.count < policy.concurrency {
            if let lastCall, now < lastCall + policy.spacing { break }
            let tasks = Array(queue.prefix(policy.batchSize))
            queue.removeFirst(tasks.count)
            calls += 1
            underWay[calls] = tasks
            lastCall = now
            for task in tasks {
                entries[task]?.call = calls
                entries[task]?.due = nil
            }
            actions.append(.describe(call: calls, tasks))
        }
        return actions
    }
}
