internal import FoundationEssentials
internal import JobTemplates
internal import OrderedCollections
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON
internal import Synchronization

/// Reads the deployment and the flow of a run, once for all runs that request them at the same time. The deployment is
/// not older than the worker's hold on the run. The flow is cached, because only its tags can change.
final class RunContextReader: Sendable {
    private let api: APIClient
    private let readingDeployments = KeyedSingleFlight<String, Deployment>()
    private let deployments = Kept<Deployment>()
    private let readingFlows = KeyedSingleFlight<String, Flow>()
    private let flows = Kept<Flow>()

    private static let flowLifetime: Duration = .seconds(300)

    init(api: APIClient) { self.api = api }

    /// The deployment, from a read that began at `moment` or later, or that was already under way. Throws ``APIError``
    /// 404 when the deployment was deleted.
    func deployment(id: String, since moment: ContinuousClock.Instant) async throws -> Deployment {
        try await readingDeployments.run(id) {
            if let known = self.deployments.value(of: id, since: moment) { return known }
            let begin = ContinuousClock.now
            var deployment = try await self.api.readDeployment(id: UUID(id: id), effort: .persistent)
            // It may be large, and no job needs it.
            deployment["parameter_openapi_schema"] = nil
            self.deployments.keep(deployment, of: id, readAt: begin)
            return deployment
        }
    }

    /// The flow, at most a few minutes old.
    func flow(id: String) async throws -> Flow {
        if let known = keptFlow(id: id) { return known }
        return try await readingFlows.run(id) {
            // An earlier attempt may have read the flow meanwhile.
            if let known = self.keptFlow(id: id) { return known }
            let flow = try await self.api.readFlow(id: UUID(id: id), effort: .persistent)
            self.flows.keep(flow, of: id, readAt: .now)
            return flow
        }
    }

    private func keptFlow(id: String) -> Flow? { flows.value(of: id, since: .now - Self.flowLifetime) }
}

/// The values that were read last, each with the moment of its read.
private final class Kept<Value: Sendable>: Sendable {
    private let values = Mutex<OrderedDictionary<String, (value: Value, readAt: ContinuousClock.Instant)>>([:])

    func value(of key: String, since moment: ContinuousClock.Instant) -> Value? {
        guard let known = values.withLock({ $0[key] }), known.readAt >= moment else { return nil }
        return known.value
    }

    func keep(_ value: Value, of key: String, readAt moment: ContinuousClock.Instant) {
        values.withLock { values in
            values[key] = nil
            values[key] = (value, moment)
            if values.count > 500 { values.removeFirst() }
        }
    }
}
