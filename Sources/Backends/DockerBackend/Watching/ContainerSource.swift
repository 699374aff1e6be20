internal import BackendKit
internal import Logging
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST

/// The containers of a Docker Engine. One connection delivers the events of all of them.
struct ContainerSource: TaskSource {
    typealias Event = ContainerEvent

    /// The label that all containers of flow runs have, including those of the Python worker.
    static let label = "io.prefect.flow-run-id"
    /// The events report every change, and an inspection shows one container.
    static let policy = WatchPolicy(batchSize: 1, concurrency: 32)

    let engine: EngineClient
    /// The reason why the Engine cannot be used at the moment, if there is one.
    let availability: InfrastructureAvailability
    /// The containers of other workers that end.
    let ended: EndedContainers

    /// A source of the containers of an Engine, for the worker with this mark.
    init(engine: EngineClient, owner: String, logger: Logger) {
        self.engine = engine
        ended = EndedContainers(owner: owner)
        availability = InfrastructureAvailability(
            end: "The Docker Engine at \(engine.endpoint.description) is available again", logger: logger)
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

    func describe(_ containers: [String]) async throws -> [String: ContainerFacts] {
        var found: [String: ContainerFacts] = [:]
        for id in containers {
            do {
                found[id] = try await engine.inspect(id)
            } catch let error as EngineError where error.isNotFound {}
        }
        return found
    }

    func hasEnded(_ facts: ContainerFacts) -> Bool { facts.hasEnded }

    /// Keeps the connection for events open.
    func followEvents(for watch: TaskWatch<ContainerSource>) async {
        let backoff = Backoff(from: .milliseconds(200), to: .seconds(3))
        var failures = 0
        while !Task.isCancelled {
            do {
                // Another Engine with another version may be running by now.
                try await engine.version(fresh: true)
                let events = try await engine.events()
                failures = 0
                note(nil)
                watch.connected()
                ended.connected()
                for try await json in events {
                    if let event = ContainerEvent(json) { pass(event, json["Actor"]?["Attributes"], to: watch) }
                }
                watch.disconnected()
            } catch is CancellationError {
                return
            } catch {
                let wasConnected = watch.isConnected
                watch.disconnected()
                // A broken connection is not reported as long as the next one can be made.
                if !wasConnected { note(error) }
                if wasConnected { continue }
            }
            failures += 1
            let pause = backoff.pause(afterFailures: failures)
            try? await Task.sleep(for: pause + .milliseconds(Int.random(in: 0...100)))
        }
    }

    private func pass(_ event: ContainerEvent, _ attributes: JSONValue?, to watch: TaskWatch<ContainerSource>) {
        watch.happened(event, to: event.container)
        guard event.mayBeEnd else { return }
        watch.changed(event.container)
        ended.note(event, attributes)
    }
}

extension ContainerEvent {
    /// Whether the container may have ended.
    var mayBeEnd: Bool { ["die", "died", "destroy", "remove"].contains(action) }
}
