import Synchronization
import Worker

/// The worker's id at the API, which is known only after a while.
final class WorkerIdentity: Sendable {
    private let state = Mutex<PoolState?>(nil)

    /// Takes the id from a pool's state from now on.
    func follow(_ pool: PoolState) { state.withLock { $0 = pool } }

    /// The id, once the API has given one.
    var current: String? { state.withLock { $0 }?.workerID }
}
