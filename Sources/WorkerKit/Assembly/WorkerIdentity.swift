internal import Synchronization

/// The worker's id in the API, which is not known from the beginning.
final class WorkerIdentity: Sendable {
    private let state = Mutex<PoolState?>(nil)

    /// Takes the id from a pool's state from now on.
    func follow(_ pool: PoolState) { state.withLock { $0 = pool } }

    /// The id, once the API has given one.
    var current: String? { state.withLock { $0 }?.workerID }
}
