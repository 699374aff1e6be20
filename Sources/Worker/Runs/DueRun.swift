internal import PrefectAPI

/// A run that a poll has returned, with its slot.
struct DueRun: Sendable {
    let held: ActiveRun
    let flowRun: FlowRun
    let slot: Slot
}
