internal import BackendKit

/// A problem with the infrastructure of a flow run, described so that a person can act on it.
struct Diagnosis: Sendable, Hashable {
    /// The category that the Python observer names in its events; `nil` for a problem that it does not know.
    let category: Category?
    let level: RunLogLevel
    /// The problem, in a few words.
    let summary: String
    /// The message from Kubernetes.
    let detail: String
    /// The actions that may solve the problem.
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

    /// The whole diagnosis on one line.
    var line: String {
        let rest = detail.split(whereSeparator: \.isNewline).joined(separator: " ").prefix(500)
        return "\(summary)\(rest.isEmpty ? "" : ": \(rest)"). \(remedy)."
    }

    /// The key that distinguishes diagnoses. The number of nodes in question and the order of Kubernetes' reasons
    /// change all the time, and make no difference.
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
