internal import BackendKit
internal import Logging
internal import Synchronization
internal import Systemd

/// Watches all units of runs through one connection while ``run()`` runs. When the bus or the manager is unavailable,
/// it waits for them.
final class UnitWatcher: Sendable {
    private struct State {
        var watch = UnitWatch()
        var observers: [String: [Int: CheckedContinuation<Bool, Never>]] = [:]
        var lastNumber = 0
    }

    /// The pattern of the names of all units of runs.
    static let pattern = "\(UnitName.prefix)*.service"
    /// The interval at which units are listed even without a signal.
    private static let interval = Duration.seconds(30)

    private let bus: Bus
    private let manager: UnitManager
    private let place: String
    private let remedy: String
    /// The reason why the manager is unavailable at the moment, if it is.
    let availability: InfrastructureAvailability
    private let state = Mutex(State())
    private let actions: AsyncStream<UnitWatch.Action>
    private let act: AsyncStream<UnitWatch.Action>.Continuation

    /// - Parameters:
    ///   - place: The name of the manager in messages.
    ///   - remedy: The remedy when the manager does not answer.
    init(
        bus: Bus, manager: UnitManager, place: String, remedy: String, logger: Logger
    ) {
        self.bus = bus
        self.manager = manager
        self.place = place
        self.remedy = remedy
        availability = InfrastructureAvailability(end: "\(place) is available again", logger: logger)
        (actions, act) = AsyncStream.makeStream()
    }

    /// Waits until a unit has ended; returns `false` when the task was cancelled before that.
    func waitForEnd(of unit: String) async -> Bool {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isCancelled = state.withLock { state in
                    if Task.isCancelled { return true }
                    state.observers[unit, default: [:]][number] = continuation
                    return false
                }
                if isCancelled { continuation.resume(returning: false) } else { handle(.watched(unit)) }
            }
        } onCancel: {
            let continuation = state.withLock { state in
                let continuation = state.observers[unit]?.removeValue(forKey: number)
                if state.observers[unit]?.isEmpty == true {
                    state.observers[unit] = nil
                    _ = state.watch.handle(.forgotten(unit))
                }
                return continuation
            }
            continuation?.resume(returning: false)
        }
    }

    /// Records whether the manager answers; `nil` means that it does.
    func note(_ problem: String?) {
        let reason = problem.map { "\(place) is unavailable: \($0); \(remedy)" }
        availability.note(reason)
    }

    // MARK: Watching

    /// Watches until the task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.follow() }
            group.addTask {
                while (try? await Task.sleep(for: Self.interval)) != nil { self.handle(.tick) }
            }
            for await action in actions { group.addTask { await self.carryOut(action) } }
            group.cancelAll()
        }
    }

    private func follow() async {
        await withDiscardingTaskGroup { group in
            for await event in bus.events {
                switch event {
                case .connected:
                    group.addTask { await self.subscribe() }
                case .disconnected(let problem):
                    handle(.disconnected)
                    note(problem)
                case .signal(_, "NameOwnerChanged", let arguments):
                    // A new manager has no subscription yet. The disappearance of a manager does not end any unit.
                    if arguments.last?.text?.isEmpty == false {
                        group.addTask { await self.subscribe() }
                    } else {
                        handle(.disconnected)
                        note("it disconnected from the bus")
                    }
                case .signal(_, "UnitRemoved", let arguments): handle(.changed(arguments.first?.text))
                case .signal(_, "JobRemoved", let arguments):
                    handle(.changed(arguments.count > 2 ? arguments[2].text : nil))
                case .signal: handle(.changed(nil))
                }
            }
            group.cancelAll()
        }
    }

    private func subscribe() async {
        while !Task.isCancelled {
            do {
                try await manager.subscribe()
                note(nil)
                handle(.connected)
                return
            } catch {
                note(error.message)
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func handle(_ input: UnitWatch.Input) {
        let ended = state.withLock { state in
            var ended: [CheckedContinuation<Bool, Never>] = []
            for action in state.watch.handle(input) {
                switch action {
                case .end(let unit): ended += state.observers.removeValue(forKey: unit)?.values.map { $0 } ?? []
                case .list, .listLater: act.yield(action)
                }
            }
            return ended
        }
        for continuation in ended { continuation.resume(returning: true) }
    }

    private func carryOut(_ action: UnitWatch.Action) async {
        switch action {
        case .list:
            do {
                handle(.listed(try await manager.units(named: Self.pattern)))
            } catch {
                handle(.listingFailed)
            }
        case .listLater:
            try? await Task.sleep(for: .seconds(1))
            handle(.changed(nil))
        case .end: break
        }
    }
}
