public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Sends a heartbeat of a worker: `POST /work_pools/{pool}/workers/heartbeat`. The first one registers the worker.
    ///
    /// - Parameters:
    ///   - interval: The time between heartbeats, in whole or fractional seconds. The server counts a worker as offline
    ///     after three missing heartbeats.
    ///   - returnsID: Whether to request the worker's id, which only Cloud assigns.
    ///   - metadata: The worker's integrations.
    /// - Returns: The worker's id, if it was requested and the API has one.
    @discardableResult
    public func sendWorkerHeartbeat(
        workPool pool: String, worker name: String, interval: Duration? = nil, returnsID: Bool = false,
        metadata: WorkerMetadata? = nil, effort: RetryPolicy.Effort = .standard
    ) async throws -> UUID? {
        let body = JSONValue.given(
            ("name", .string(name)), ("heartbeat_interval_seconds", interval.orNull),
            ("metadata", metadata?.jsonValue), ("return_id", returnsID ? true : nil))
        let request = APIRequest(.post, ["work_pools", .name(pool), "workers", "heartbeat"], body: body)
        let answer = try await send(request, effort: effort)
        guard returnsID, answer.status == 200 else { return nil }
        return UUID(uuidString: answer.text.trimming(while: { $0.isWhitespace || $0 == "\"" }))
    }

    /// Reads the workers of a work pool, at most 200: `POST /work_pools/{pool}/workers/filter`.
    ///
    /// - Parameter limit: The number of workers to read; `nil` means the server's limit, 200.
    public func readWorkers(
        forWorkPool pool: String, workers: WorkerFilter? = nil, limit: Int? = nil, offset: Int? = nil,
        effort: RetryPolicy.Effort = .standard
    ) async throws -> [Worker] {
        let body: JSONValue = ["workers": workers.orNull, "offset": offset.orNull, "limit": limit.orNull]
        return try await read(.post, ["work_pools", .name(pool), "workers", "filter"], body: body, effort: effort)
    }
}
