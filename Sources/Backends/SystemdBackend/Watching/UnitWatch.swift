internal import Systemd

/// The state of the watch of units, as a value.
///
/// Signals do not prove the state of a unit. The manager sends them for all units when it reloads its configuration,
/// and sends none while the bus is unavailable. So a signal only causes a list of all units, by one call.
///
/// A unit has ended when a list that was requested after the watch began does not contain it. It has also ended when
/// such a list shows it as inactive or failed without a pending job.
struct UnitWatch: Sendable {
    /// An event that changes the state.
    enum Input: Sendable, Hashable {
        /// Signals arrive from now on.
        case connected
        /// Signals no longer arrive.
        case disconnected
        /// A task watches a unit.
        case watched(String)
        /// No task watches the unit any more.
        case forgotten(String)
        /// A unit has changed. Without a name, any unit may have changed.
        case changed(String?)
        case listed([String: UnitStatus])
        /// A list was not received.
        case listingFailed
        /// Time has passed.
        case tick
    }

    /// An action that the owner must take.
    enum Action: Sendable, Hashable {
        case list
        /// The same as ``list``, after a moment.
        case listLater
        /// The tasks that watch the unit resume, because it has ended.
        case end(String)
    }

    private enum Listing: Sendable {
        case none
        /// The units that were watched when the list was requested, and whether another list must follow.
        case underWay(Set<String>, again: Bool)
    }

    private(set) var units: Set<String> = []
    private(set) var isConnected = false
    private var listing = Listing.none

    mutating func handle(_ input: Input) -> [Action] {
        switch input {
        case .connected:
            isConnected = true
            return list()
        case .disconnected:
            isConnected = false
            return []
        case .watched(let unit):
            units.insert(unit)
            return list()
        case .forgotten(let unit):
            units.remove(unit)
            return []
        case .changed(let unit):
            return unit.map(units.contains) ?? true ? list() : []
        case .tick:
            return list()
        case .listed(let found):
            guard case .underWay(let asked, let again) = listing else { return [] }
            listing = .none
            let ended = asked.intersection(units).filter { found[$0]?.hasEnded ?? true }
            units.subtract(ended)
            return ended.sorted().map(Action.end) + (again ? list() : [])
        case .listingFailed:
            listing = .none
            // Without a connection, the units are listed as soon as the bus is connected again.
            return isConnected && !units.isEmpty ? [.listLater] : []
        }
    }

    private mutating func list() -> [Action] {
        guard isConnected, !units.isEmpty else { return [] }
        if case .underWay(let asked, _) = listing {
            listing = .underWay(asked, again: true)
            return []
        }
        listing = .underWay(units, again: false)
        return [.list]
    }
}
