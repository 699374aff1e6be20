/// How a container ended.
struct ContainerEnd: Sendable, Hashable {
    /// The exit code; `nil` when it cannot be determined any more.
    var exitCode: Int?
    var wasOutOfMemory = false
    /// The failure that the Engine reports for the container.
    var error: String?
    /// Whether the container was removed before its end was inspected.
    var wasRemoved = false
}

/// The state of all watched containers: the whole logic of watching, as a value.
///
/// One connection delivers the events of all containers. An event does not prove the state of a container. So a
/// container that ends is inspected, and after a gap in the events every container is inspected. A container has ended
/// when an inspection shows it, or when the Engine reports that no such container exists. An Engine that does not
/// answer proves nothing.
struct ContainerWatch: Sendable {
    /// A fact that becomes known.
    enum Input: Sendable, Hashable {
        /// Events arrive from now on.
        case connected
        /// Events do not arrive any more.
        case disconnected
        /// An observer begins to watch a container.
        case watched(String)
        /// No observer watches the container any more.
        case forgotten(String)
        case happened(ContainerEvent)
        /// The result of an inspection; `nil` when there is no such container.
        case inspected(String, ContainerFacts?)
        /// An inspection could not be completed.
        case inspectionFailed(String)
    }

    /// An action that the caller has to carry out.
    enum Action: Sendable, Hashable {
        case inspect(String)
        /// The same inspection, after a pause.
        case inspectLater(String)
        /// The observers of the container are notified of its status, whenever it changes.
        case tell(String, status: String, ContainerFacts)
        /// The observers of the container are notified that it has ended.
        case end(String, ContainerEnd)
    }

    private struct Entry {
        var facts: ContainerFacts?
        var status: String?
        /// The exit code from the event of the container's end.
        var exitCode: Int?
        var wasOutOfMemory = false
        var isBeingInspected = false
        /// Whether an event arrived during the current inspection, whose result may not show it yet.
        var isStale = false
    }

    private var entries: [String: Entry] = [:]
    private(set) var isConnected = false

    /// The number of watched containers.
    var count: Int { entries.count }

    mutating func handle(_ input: Input) -> [Action] {
        switch input {
        case .connected:
            isConnected = true
            return entries.keys.sorted().flatMap { inspect($0) }
        case .disconnected:
            isConnected = false
            return []
        case .watched(let id):
            if entries[id] == nil { entries[id] = Entry() }
            return isConnected ? inspect(id) : []
        case .forgotten(let id):
            entries[id] = nil
            return []
        case .happened(let event):
            return happened(event)
        case .inspected(let id, let facts):
            guard entries[id] != nil else { return [] }
            entries[id]?.isBeingInspected = false
            return inspected(id, facts)
        case .inspectionFailed(let id):
            guard entries[id] != nil else { return [] }
            entries[id]?.isBeingInspected = false
            entries[id]?.isStale = false
            // Without a connection, the container is inspected when the next connection begins.
            return isConnected ? [.inspectLater(id)] : []
        }
    }

    private mutating func inspect(_ id: String) -> [Action] {
        guard let entry = entries[id] else { return [] }
        if entry.isBeingInspected {
            entries[id]?.isStale = true
            return []
        }
        entries[id]?.isBeingInspected = true
        return [.inspect(id)]
    }

    private mutating func happened(_ event: ContainerEvent) -> [Action] {
        let id = event.container
        guard entries[id] != nil else { return [] }
        switch event.action {
        case "start", "unpause": return tell(id, status: "running")
        case "pause": return tell(id, status: "paused")
        case "oom":
            entries[id]?.wasOutOfMemory = true
            return []
        case "die", "died":
            if let code = event.exitCode { entries[id]?.exitCode = code }
            return inspect(id)
        case "destroy", "remove":
            return inspect(id)
        default: return []
        }
    }

    private mutating func inspected(_ id: String, _ facts: ContainerFacts?) -> [Action] {
        let isStale = entries[id]?.isStale == true
        entries[id]?.isStale = false
        guard let entry = entries[id] else { return [] }
        guard let facts else {
            entries[id] = nil
            return [
                .end(
                    id,
                    ContainerEnd(exitCode: entry.exitCode, wasOutOfMemory: entry.wasOutOfMemory, wasRemoved: true))
            ]
        }
        entries[id]?.facts = facts
        if facts.hasEnded {
            let reported = tell(id, status: facts.status)
            entries[id] = nil
            let end = ContainerEnd(
                exitCode: facts.exitCode, wasOutOfMemory: facts.wasOutOfMemory || entry.wasOutOfMemory,
                error: facts.error)
            return reported + [.end(id, end)]
        }
        return tell(id, status: facts.status) + (isStale ? inspect(id) : [])
    }

    /// Reports a status, unless it is the last reported one, or no inspection has described the container yet.
    private mutating func tell(_ id: String, status: String) -> [Action] {
        guard let entry = entries[id], entry.status != status, let facts = entry.facts else { return [] }
        entries[id]?.status = status
        return [.tell(id, status: status, facts)]
    }
}
