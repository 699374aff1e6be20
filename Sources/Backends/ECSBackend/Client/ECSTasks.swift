internal import PrefectJSON
internal import Synchronization

/// The tasks of a place as far as this process knows them.
final class ECSTasks: Sendable {
    /// One task.
    struct Known: Sendable {
        var hasEnded = false
        /// The definition to take out of use after the end.
        var deregistered: String?
        /// The events from the queue that have not been reported.
        var events: [TaskEvent] = []
        /// The statuses that have been reported.
        var reported: Set<String> = []
    }

    private let state = Mutex<(tasks: [String: Known], requests: [String: JSONValue])>(([:], [:]))

    func known(_ task: String) -> Known? { state.withLock { $0.tasks[task] } }

    /// Records a task that a run of this process has.
    func add(_ task: String) { state.withLock { $0.tasks[task] = $0.tasks[task] ?? Known() } }

    func forget(_ task: String) { state.withLock { _ = $0.tasks.removeValue(forKey: task) } }

    /// Records the state of a known task.
    func note(_ status: TaskStatus, of task: String) {
        state.withLock { state in
            guard status.hasEnded || status.deregisters || state.tasks[task] != nil else { return }
            // A task that no run of this process has is read by a sweep.
            guard state.tasks[task] != nil || state.tasks.count < 20_000 else { return }
            var known = state.tasks[task] ?? Known()
            known.hasEnded = status.hasEnded
            known.deregistered = status.deregisters ? status.definitionARN : nil
            state.tasks[task] = known
        }
    }

    // MARK: Events

    /// Records an event of a known task; returns the task's name, or `nil` for an unknown one.
    func note(_ event: TaskEvent) -> String? {
        state.withLock { state in
            guard let task = state.tasks.keys.first(where: { $0.hasSuffix("::\(event.arn)") }) else { return nil }
            if state.tasks[task]?.reported.contains(event.status) == false { state.tasks[task]?.events.append(event) }
            return task
        }
    }

    /// The events to report when a task is seen in a status: those of the queue, and the status if it is not among them.
    func events(of task: String, in status: TaskStatus) -> [TaskEvent] {
        state.withLock { state in
            guard var known = state.tasks[task] else { return [] }
            defer { state.tasks[task] = known }
            var events = known.events.filter { !known.reported.contains($0.status) }
            known.events = []
            if !known.reported.contains(status.lastStatus), !events.contains(where: { $0.status == status.lastStatus })
            {
                events.append(TaskEvent(arn: status.arn, status: status.lastStatus))
            }
            known.reported.formUnion(events.map(\.status))
            return events
        }
    }

    // MARK: Requests

    /// The request that was sent for a claim. A repetition must not differ from it.
    func request(of claim: String) -> JSONValue? { state.withLock { $0.requests[claim] } }

    func set(_ request: JSONValue?, of claim: String) { state.withLock { $0.requests[claim] = request } }
}
