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

/// The known history of one container, as a value.
struct ContainerProgress: Sendable {
    /// The last inspection.
    private(set) var facts: ContainerFacts?
    private var status: String?
    /// The exit code from the event of the container's end.
    private var exitCode: Int?
    private var wasOutOfMemory = false

    /// Records an event. Returns the status that the container has because of it, unless that is already known.
    mutating func note(_ event: ContainerEvent) -> String? {
        switch event.action {
        case "start", "unpause": return changed(to: "running")
        case "pause": return changed(to: "paused")
        case "oom": wasOutOfMemory = true
        case "die", "died": exitCode = event.exitCode ?? exitCode
        default: break
        }
        return nil
    }

    /// Records an inspection. Returns the status that it shows, unless that is already known.
    mutating func note(_ facts: ContainerFacts) -> String? {
        self.facts = facts
        return changed(to: facts.status)
    }

    /// How the container ended: as an inspection shows, or else as the events reported before its removal.
    func end(_ facts: ContainerFacts?) -> ContainerEnd {
        guard let facts else {
            return ContainerEnd(exitCode: exitCode, wasOutOfMemory: wasOutOfMemory, wasRemoved: true)
        }
        return ContainerEnd(
            exitCode: facts.exitCode, wasOutOfMemory: facts.wasOutOfMemory || wasOutOfMemory, error: facts.error)
    }

    /// A status is not reported before an inspection has described the container.
    private mutating func changed(to status: String) -> String? {
        guard facts != nil, self.status != status else { return nil }
        self.status = status
        return status
    }
}
