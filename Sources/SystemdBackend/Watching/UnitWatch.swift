internal import Systemd

/// What is known of the units that are watched: the whole of watching, as a value.
///
/// Signals are no proof of where a unit stands: they come for all units when the manager reads its configuration anew, and not
/// while the bus is away. So a signal only makes the units be listed, all of them by one call. A unit has ended when a list
/// that was asked for after it began to be watched does not have it, or has it as inactive or failed with nothing about to
/// be done.
struct UnitWatch: Sendable {
    /// Something that becomes known.
    enum Input: Sendable, Hashable {
        /// Signals come from now on.
        case connected
        /// Signals do not come any more.
        case disconnected
        /// Somebody wants to know of a unit.
        case watched(String)
        /// Nobody does any more.
        case forgotten(String)
        /// Something happened to a unit; to any of them without a name.
        case changed(String?)
        case listed([String: UnitStanding])
        /// A list did not come.
        case listingFailed
        /// Time has passed.
        case tick
    }

    /// Something that is to be done.
    enum Action: Sendable, Hashable {
        case list
        /// The same, after a moment.
        case listLater
        /// Whoever watches the unit is told that it has ended.
        case end(String)
    }

    private enum Listing: Sendable {
        case none
        /// The units that were watched when the list was asked for, and whether another one is wanted after it.
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
            // Without a connection they are listed as soon as there is one.
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
