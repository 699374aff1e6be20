internal import BackendKit
internal import PrefectJSON
internal import PrefectREST

/// A change of a job's pods, or a time limit of its follower.
enum JobEvent: Sendable, Hashable {
    case pod(PodSnapshot)
    /// The pod was deleted; this is its last state.
    case podDeleted(PodSnapshot)
    /// A time has passed at which the follower looks at the job's pods.
    case due
}

/// The jobs of a namespace, by their names. The lists and watches of ``ClusterWatch`` report their status.
struct JobSource: TaskSource {
    typealias Event = JobEvent

    /// The watch reports every change, and an answer describes one job.
    static let policy = WatchPolicy(batchSize: 1, concurrency: 32)

    let client: KubernetesClient
    let namespace: String
    let availability: Availability
    let log: OperatorLog

    func describe(_ names: [String]) async throws -> [String: JobSnapshot] {
        var found: [String: JobSnapshot] = [:]
        for name in names {
            do {
                guard let object = try await client.read(.jobs, namespace: namespace, name: name) else { continue }
                guard let job = JobSnapshot(object) else {
                    throw KubernetesError(kind: .unreadable, message: "the answer is not a job", operation: "GET jobs")
                }
                found[name] = job
            } catch let error as KubernetesError {
                availability.note(error)
                if !error.isTransient {
                    log.warnOnce(
                        "The worker cannot see the end of runs: "
                            + Refusal.explanation(
                                error, verb: "get jobs", namespace: namespace, access: client.access))
                }
                if let pause = error.retryAfter { try await Task.sleep(for: pause) }
                throw error
            }
        }
        return found
    }

    func hasEnded(_ job: JobSnapshot) -> Bool { job.ending != nil }
}
