internal import BackendKit
internal import Systemd

/// The units of runs, which one call to the manager lists.
///
/// Signals do not prove the state of a unit. The manager sends them for all units when it reloads its configuration,
/// and sends none while the bus is unavailable.
struct UnitSource: TaskSource {
    typealias Event = Never

    /// The pattern of the names of all units of runs.
    static let pattern = "\(UnitName.prefix)*.service"
    /// The units are listed at intervals even without a signal.
    static let policy = WatchPolicy { _ in .seconds(30) }

    let bus: Bus
    let manager: UnitManager
    /// The name of the manager in messages.
    let place: String
    /// The remedy when the manager does not answer.
    let remedy: String
    /// The reason why the manager is unavailable at the moment, if it is.
    let availability: InfrastructureAvailability

    func describe(_ units: [String]) async throws -> [String: UnitStatus] {
        try await manager.units(named: Self.pattern)
    }

    func hasEnded(_ status: UnitStatus) -> Bool { status.hasEnded }

    /// Records whether the manager answers; `nil` means that it does.
    func note(_ problem: String?) {
        availability.note(problem.map { "\(place) is unavailable: \($0); \(remedy)" })
    }

    func followEvents(for watch: TaskWatch<UnitSource>) async {
        await withDiscardingTaskGroup { group in
            for await event in bus.events {
                switch event {
                case .connected:
                    group.addTask { await self.subscribe(watch) }
                case .disconnected(let problem):
                    watch.disconnected()
                    note(problem)
                case .signal(_, "NameOwnerChanged", let arguments):
                    // A new manager has no subscription yet. The disappearance of a manager does not end any unit.
                    if arguments.last?.text?.isEmpty == false {
                        group.addTask { await self.subscribe(watch) }
                    } else {
                        watch.disconnected()
                        note("it disconnected from the bus")
                    }
                case .signal(_, "UnitRemoved", let arguments): watch.changed(arguments.first?.text)
                case .signal(_, "JobRemoved", let arguments):
                    watch.changed(arguments.count > 2 ? arguments[2].text : nil)
                case .signal: watch.changed(nil)
                }
            }
            group.cancelAll()
        }
    }

    private func subscribe(_ watch: TaskWatch<UnitSource>) async {
        while !Task.isCancelled {
            do {
                try await manager.subscribe()
                note(nil)
                watch.connected()
                return
            } catch {
                note(error.message)
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }
}
