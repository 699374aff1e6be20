internal import PrefectClient
internal import Synchronization

/// A run that a poll has returned, with its slot.
struct DueRun: Sendable {
    let active: ActiveRun
    let details: RunDetails
    let slot: Slot
}

/// A flow run as the API sent it, until its infrastructure exists. Afterwards the run may be in flight for long and
/// needs only its ``KnownRun/outline``.
final class RunDetails: Sendable {
    private let kept: Mutex<KnownRun?>

    init(_ flowRun: KnownRun) { kept = Mutex(flowRun) }

    /// The run; `nil` once its infrastructure exists.
    var flowRun: KnownRun? { kept.withLock { $0 } }

    /// Releases the run.
    func release() { kept.withLock { $0 = nil } }
}

/// The orphaned runs of a pool that an earlier process of the worker had, registered and with their slots.
package struct RecoveredRuns: Sendable {
    struct RecoveredRun: Sendable {
        let entry: LedgerEntry
        let active: ActiveRun
        let slot: Slot
    }

    var runs: [RecoveredRun] = []
}
