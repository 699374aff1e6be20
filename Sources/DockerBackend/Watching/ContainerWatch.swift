/// How a container ended.
struct ContainerEnd: Sendable, Hashable {
    /// `nil` when nobody can know any more.
    var exitCode: Int?
    var wasOutOfMemory = false
    /// What the Engine says it could not do.
    var error: String?
    /// Whether it was removed before its end had been looked at.
    var wasRemoved = false
}

/// What is known of the containers that are watched: the whole of watching, as a value.
///
/// What happens comes as events on one connection for all. Events are no proof of where a container stands: one that ends is
/// inspected, and after a gap in the events each is. A container has ended when an inspection says so, or when the
/// Engine says that there is none of that name; that an Engine does not answer says nothing.
struct ContainerWatch: Sendable {
    /// Something that becomes known.
    enum Input: Sendable, Hashable {
        /// Events come from now on.
        case connected
        /// Events do not come any more.
        case disconnected
        /// Somebody wants to know of a container.
        case watched(String)
        /// Nobody does any more.
        case forgotten(String)
        case happened(ContainerEvent)
        /// What an inspection found; `nil` when there is no such container.
        case inspected(String, ContainerFacts?)
        /// An inspection did not come to an end.
        case inspectionFailed(String)
    }

    /// Something that is to be done.
    enum Action: Sendable, Hashable {
        case inspect(String)
        /// The same, after a while.
        case inspectLater(String)
        /// Whoever watches the container is told its status, each time it is another.
        case tell(String, status: String, ContainerFacts)
        /// Whoever watches it is told that it has ended.
        case end(String, ContainerEnd)
    }

    private struct Entry {
        var facts: ContainerFacts?
        var status: String?
        /// From the event of its end.
        var exitCode: Int?
        var wasOutOfMemory = false
        /// Whether something happened to it while an inspection is under way, which that may not show yet.
        var isBeingInspected = false
        var isStale = false
    }

    private var entries: [String: Entry] = [:]
    private(set) var isConnected = false

    /// How many containers are watched.
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
            // Without a connection it is inspected as soon as there is one.
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
            let told = tell(id, status: facts.status)
            entries[id] = nil
            let end = ContainerEnd(
                exitCode: facts.exitCode, wasOutOfMemory: facts.wasOutOfMemory || entry.wasOutOfMemory,
                error: facts.error)
            return told + [.end(id, end)]
        }
        return tell(id, status: facts.status) + (isStale ? inspect(id) : [])
    }

    /// Tells a status, unless it was the last that was told, or nothing is known of the container yet.
    private mutating func tell(_ id: String, status: String) -> [Action] {
        guard let entry = entries[id], entry.status != status, let facts = entry.facts else { return [] }
        entries[id]?.status = status
        return [.tell(id, status: status, facts)]
    }
}
