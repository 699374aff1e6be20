internal import Concurrency
internal import Logging
internal import RESTClient
internal import Synchronization
internal import Worker

/// Watches all containers of a worker through one connection to the Engine while ``run()`` runs. It waits for an
/// Engine that becomes unavailable.
final class EngineWatcher: Sendable {
    /// A notification for an observer of a container.
    enum Notice: Sendable {
        /// The status of the container has changed.
        case status(String, ContainerFacts)
        /// The container has ended. No other notification follows.
        case end(ContainerEnd)
    }

    private struct State {
        var watch = ContainerWatch()
        var observers: [String: [Int: AsyncStream<Notice>.Continuation]] = [:]
        var lastObserver = 0
        var unwatchedSince: ContinuousClock.Instant? = .now
    }

    /// The label that all containers of flow runs have, including those of the Python worker.
    static let label = "io.prefect.flow-run-id"

    private let engine: EngineClient
    /// The reason why the Engine cannot be used at the moment, if there is one.
    let availability: InfrastructureAvailability
    private let state = Mutex(State())
    private let actions: AsyncStream<ContainerWatch.Action>
    private let act: AsyncStream<ContainerWatch.Action>.Continuation

    init(engine: EngineClient, logger: Logger) {
        self.engine = engine
        availability = InfrastructureAvailability(
            end: "The Docker Engine at \(engine.endpoint.description) is available again", logger: logger)
        (actions, act) = AsyncStream.makeStream()
    }

    /// How long the connection for events has been lost; zero while it is open.
    var lag: Duration { state.withLock { $0.unwatchedSince.map { .now - $0 } ?? .zero } }

    /// The notifications for a container, beginning with its current status, until it ends or the stream is dropped.
    func notices(of id: String) -> AsyncStream<Notice> {
        let (stream, continuation) = AsyncStream.makeStream(of: Notice.self)
        let number = state.withLock { state in
            state.lastObserver += 1
            state.observers[id, default: [:]][state.lastObserver] = continuation
            return state.lastObserver
        }
        continuation.onTermination = { [weak self] _ in self?.forget(id, number) }
        handle(.watched(id))
        return stream
    }

    private func forget(_ id: String, _ number: Int) {
        state.withLock { state in
            state.observers[id]?[number] = nil
            guard state.observers[id]?.isEmpty == true else { return }
            state.observers[id] = nil
            _ = state.watch.handle(.forgotten(id))
        }
    }

    /// Records whether the Engine answers; `nil` means that it does.
    func note(_ error: (any Error)?) {
        let reason = error.map { error in
            "The Docker Engine at \(engine.endpoint.description) is unreachable: "
                + "\((error as? EngineError)?.message ?? "\(error)"); start it, set DOCKER_HOST, or give the worker's "
                + "user access to it"
        }
        availability.note(reason)
    }

    // MARK: Watching

    /// Watches until the task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.follow() }
            for await action in actions { group.addTask { await self.carryOut(action) } }
            group.cancelAll()
        }
    }

    /// Keeps the connection for events open.
    private func follow() async {
        let backoff = Backoff(from: .milliseconds(200), to: .seconds(3))
        var failures = 0
        while !Task.isCancelled {
            do {
                // Another Engine with another version may be running by now.
                try await engine.version(fresh: true)
                let events = try await engine.events()
                failures = 0
                note(nil)
                handle(.connected)
                for try await json in events {
                    if let event = ContainerEvent(json) { handle(.happened(event)) }
                }
                handle(.disconnected)
            } catch is CancellationError {
                return
            } catch {
                let wasConnected = state.withLock { $0.watch.isConnected }
                handle(.disconnected)
                // A broken connection is not reported as long as the next one can be made.
                if !wasConnected { note(error) }
                if wasConnected { continue }
            }
            failures += 1
            let pause = backoff.pause(afterFailures: failures)
            try? await Task.sleep(for: pause + .milliseconds(Int.random(in: 0...100)))
        }
    }

    private func handle(_ input: ContainerWatch.Input) {
        // The lock keeps the actions in the order of the inputs, which come from several tasks.
        state.withLock { state in
            switch input {
            case .connected: state.unwatchedSince = nil
            case .disconnected: state.unwatchedSince = state.unwatchedSince ?? .now
            default: break
            }
            for action in state.watch.handle(input) {
                switch action {
                case .tell(let id, let status, let facts):
                    for observer in state.observers[id, default: [:]].values { observer.yield(.status(status, facts)) }
                case .end(let id, let end):
                    for observer in state.observers[id, default: [:]].values { observer.yield(.end(end)) }
                case .inspect, .inspectLater: act.yield(action)
                }
            }
        }
    }

    private func carryOut(_ action: ContainerWatch.Action) async {
        switch action {
        case .inspect(let id): await inspect(id)
        case .inspectLater(let id):
            try? await Task.sleep(for: .seconds(1))
            handle(.watched(id))
        case .tell, .end: break
        }
    }

    private func inspect(_ id: String) async {
        do {
            handle(.inspected(id, try await engine.inspect(id)))
        } catch let error as EngineError where error.isNotFound {
            handle(.inspected(id, nil))
        } catch {
            handle(.inspectionFailed(id))
        }
    }
}
