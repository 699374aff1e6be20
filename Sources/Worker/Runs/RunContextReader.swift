internal import JSON
internal import JobTemplates
internal import OrderedCollections
internal import PrefectAPI
internal import Synchronization

/// Reads what a run is made of, once for runs that ask together: its deployment, afresh, and its flow, which is kept,
/// since only its tags can change.
final class RunContextReader: Sendable {
    private let api: APIClient
    private let deployments = SharedFlights<Deployment>()
    private let readingFlows = SharedFlights<Flow>()
    private let flows = Mutex<OrderedDictionary<String, (flow: Flow, readAt: ContinuousClock.Instant)>>([:])

    private static let flowLifetime: Duration = .seconds(300)
    private static let maximumFlows = 500

    init(api: APIClient) { self.api = api }

    /// The deployment as it is now. Throws ``APIError`` 404 when it was deleted.
    func deployment(id: String) async throws -> Deployment {
        try await deployments.run(id) { try await self.api.readDeployment(id: id, effort: .persistent) }
    }

    /// The flow, at most a few minutes old.
    func flow(id: String) async throws -> Flow {
        if let known = keptFlow(id: id) { return known }
        return try await readingFlows.run(id) {
            // The flight before this one may have brought it.
            if let known = self.keptFlow(id: id) { return known }
            let flow = try await self.api.readFlow(id: id, effort: .persistent)
            self.keep(flow)
            return flow
        }
    }

    private func keptFlow(id: String) -> Flow? {
        guard let known = flows.withLock({ $0[id] }), ContinuousClock.now - known.readAt < Self.flowLifetime else {
            return nil
        }
        return known.flow
    }

    private func keep(_ flow: Flow) {
        flows.withLock { flows in
            flows[flow.id] = nil
            flows[flow.id] = (flow, .now)
            if flows.count > Self.maximumFlows { flows.removeFirst() }
        }
    }
}

/// A ``SingleFlight`` for each key that somebody wants at the moment.
private final class SharedFlights<Value: Sendable>: Sendable {
    private let flights = Mutex<[String: (flight: SingleFlight<Value>, riders: Int)]>([:])

    func run(_ key: String, _ attempt: () async throws -> Value) async throws -> Value {
        let flight = flights.withLock { flights in
            var entry = flights[key] ?? (SingleFlight(), 0)
            entry.riders += 1
            flights[key] = entry
            return entry.flight
        }
        defer {
            flights.withLock { flights in
                guard var entry = flights[key] else { return }
                entry.riders -= 1
                flights[key] = entry.riders == 0 ? nil : entry
            }
        }
        return try await flight.run(attempt)
    }
}
