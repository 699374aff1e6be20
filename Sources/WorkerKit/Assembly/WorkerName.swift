internal import BackendKit
internal import FoundationEssentials

/// The name of a worker without a configured name. It stays the same across restarts, so that the API shows one worker
/// and not one for each start.
struct WorkerName: Sendable {
    /// The name of the pod, in a cluster.
    private let pod: String?
    private let unique: String

    /// - Parameters:
    ///   - environment: The environment of the worker's process.
    ///   - directory: The directory that stores a generated name. Without it, each start generates another name.
    init(environment: [String: String], directory: StateDirectory?) {
        let isInCluster = environment["KUBERNETES_SERVICE_HOST"]?.isEmpty == false
        let host = environment["HOSTNAME"] ?? ""
        pod = isInCluster && !host.isEmpty && !host.contains(where: { "/%".contains($0) }) ? host : nil
        let makeUp = { UUID().uuidString.lowercased() }
        unique = pod == nil ? directory?.workerName(orElse: makeUp) ?? makeUp() : ""
    }

    /// Returns the name in a pool of this kind.
    func of(_ kind: any Backend.Type) -> String { pod ?? "\(kind.traits.workerName) \(unique)" }
}
