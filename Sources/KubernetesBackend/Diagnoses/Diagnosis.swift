internal import Worker

/// What is wrong with the infrastructure of a flow run, so that a person can do something about it.
struct Diagnosis: Sendable, Hashable {
    /// What it is about, as the Python observer calls it in its events; `nil` for what that does not know.
    let category: Category?
    let level: RunLogLevel
    /// What is wrong, in a few words.
    let summary: String
    /// What Kubernetes says.
    let detail: String
    /// What can be done.
    let remedy: String

    /// The categories of the Python observer, which are part of its events and of their ids.
    enum Category: String, Sendable, Hashable {
        case imagePull = "ImagePullError"
        case crashLoop = "CrashLoopBackOff"
        case outOfMemory = "OOMKilled"
        case evicted = "Evicted"
        case unschedulable = "Unschedulable"
        case insufficientResources = "Unschedulable.InsufficientResources"
        case nodeAffinity = "Unschedulable.NodeAffinity"
        case taint = "Unschedulable.Taint"
    }

    /// The whole on one line.
    var line: String {
        let said = detail.split(whereSeparator: \.isNewline).joined(separator: " ").prefix(500)
        return "\(summary)\(said.isEmpty ? "" : ": \(said)"). \(remedy)."
    }

    /// What makes it another one: how many nodes are in question and in what order Kubernetes counts its reasons changes
    /// all the time, and says nothing new.
    var key: String {
        switch category {
        case .unschedulable, .insufficientResources, .nodeAffinity, .taint:
            "\(summary)|\(Self.withoutNumbers(detail))"
        default: "\(summary)|\(detail)"
        }
    }

    private static func withoutNumbers(_ text: String) -> String {
        text.split(whereSeparator: { ",.:".contains($0) })
            .map { part in
                part.split(separator: " ").filter { word in !word.contains { $0.isNumber } }.joined(separator: " ")
            }
            .sorted().joined(separator: ";")
    }
}
