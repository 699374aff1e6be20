internal import OrderedCollections
public import PrefectJSON
internal import Synchronization

extension FakePrefectAPI {
    /// The requests and the state of the server now.
    public var snapshot: FakeAPISnapshot {
        core.withLock { FakeAPISnapshot(world: $0.world, requests: $0.requests) }
    }

    /// All requests, in the order of arrival.
    public var requests: [RecordedRequest] { core.withLock { $0.requests } }

    /// The requests that match, in the order of arrival.
    public func requests(_ method: String? = nil, _ path: String) -> [RecordedRequest] {
        snapshot.requests(method, path)
    }

    /// Discards the requests so far, for tests that measure from a certain moment on.
    public func forgetRequests() {
        change { $0.requests.removeAll() }
    }

    /// The received log items, in order.
    public var logs: [JSONValue] { core.withLock { $0.world.logs } }

    /// The received events, in order.
    public var events: [JSONValue] { core.withLock { $0.world.events } }

    /// A run in the form of the answer to `GET /flow_runs/{id}`; `null` when there is none.
    public func flowRun(_ id: String) -> JSONValue {
        let text = core.withLock { core in core.world.runs[id].map { core.world.json(of: $0) } }
        return text.flatMap { try? JSONValue(parsing: $0) } ?? .null
    }

    /// A run; `nil` when there is none with the id.
    public func run(_ id: String) -> FakeFlowRun? { core.withLock { $0.world.runs[id] } }

    /// A work pool; `nil` when there is none with the name.
    public func pool(_ name: String) -> FakeWorkPool? { core.withLock { $0.world.pools[name] } }

    /// The names of all states of a run, in order; empty for an unknown run.
    public func stateHistory(of id: String) -> [String] { run(id)?.stateNames ?? [] }

    /// Waits until a condition holds. The condition is checked again after every request and every change.
    ///
    /// - Parameters:
    ///   - what: The expected event, for the message.
    ///   - timeout: How long to wait.
    ///   - condition: The condition on the current state.
    /// - Throws: ``WaitTimeout`` with a summary, or the error of the condition, or `CancellationError`.
    public func waitUntil(
        _ what: String = "the condition holds", timeout: Duration = .seconds(30),
        isolation: isolated (any Actor)? = #isolation, _ condition: (FakeAPISnapshot) throws -> Bool
    ) async throws {
        try await wait(for: what, timeout: timeout) { try condition($0) ? () : nil }
    }

    /// Waits until `find` returns a value, and returns it.
    ///
    /// - Parameters:
    ///   - what: The expected value, for the message.
    ///   - timeout: How long to wait.
    ///   - find: Finds the value in the current state; `nil` continues the wait.
    /// - Throws: ``WaitTimeout`` with a summary, or the error of the closure, or `CancellationError`.
    @discardableResult
    public func wait<Found>(
        for what: String, timeout: Duration = .seconds(30), isolation: isolated (any Actor)? = #isolation,
        _ find: (FakeAPISnapshot) throws -> Found?
    ) async throws -> Found {
        let found = try await changes.wait(timeout: timeout) { () -> Found? in
            let now = snapshot
            if let found = try find(now) { return found }
            // Each look at a large state makes its next change copy the state.
            if now.requests.count > 5000 { try await Task.sleep(for: .milliseconds(5)) }
            return nil
        }
        guard let found else { throw WaitTimeout(what: what, timeout: timeout, detail: snapshot.summary) }
        return found
    }
}
