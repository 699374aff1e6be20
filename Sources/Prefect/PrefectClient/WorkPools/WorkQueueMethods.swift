public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
public import PrefectJSON

extension APIClient {
    /// Creates a queue: `POST /work_pools/{pool}/queues`, or `POST /work_queues/` without a pool. The API answers 409
    /// when a queue of the pool has this name.
    ///
    /// - Parameter pool: The name of the work pool; `nil` means the pool of the agents.
    public func createWorkQueue(
        _ queue: WorkQueueCreate, inWorkPool pool: String? = nil, effort: RetryPolicy.Effort = .standard
    ) async throws -> WorkQueue {
        var body = queue
        body.description = queue.description
        return try await read(
            .post, pool.map { ["work_pools", .name($0), "queues"] } ?? ["work_queues", ""], body: body.jsonValue,
            effort: effort)
    }

    /// Reads a queue: `GET /work_queues/{id}`.
    public func readWorkQueue(id: UUID, effort: RetryPolicy.Effort = .standard) async throws -> WorkQueue {
        try await read(.get, ["work_queues", .uuid(id)], effort: effort)
    }

    /// Reads a queue by its name: `GET /work_pools/{pool}/queues/{name}`, or `GET /work_queues/name/{name}` without a
    /// pool.
    public func readWorkQueue(
        named name: String, inWorkPool pool: String? = nil, effort: RetryPolicy.Effort = .standard
    ) async throws -> WorkQueue {
        try await read(
            .get,
            pool.map { ["work_pools", .name($0), "queues", .name(name)] } ?? ["work_queues", "name", .name(name)],
            effort: effort)
    }

    /// Reads queues, at most 200: `POST /work_pools/{pool}/queues/filter`, or those of all pools with
    /// `POST /work_queues/filter`.
    ///
    /// - Parameter limit: The number of queues to read; `nil` means the server's limit, 200.
    public func readWorkQueues(
        inWorkPool pool: String? = nil, workQueues: WorkQueueFilter? = nil, limit: Int? = nil, offset: Int? = nil,
        effort: RetryPolicy.Effort = .standard
    ) async throws -> [WorkQueue] {
        let body: JSONValue = ["work_queues": workQueues.orNull, "limit": limit.orNull, "offset": offset.orNull]
        return try await read(
            .post, pool.map { ["work_pools", .name($0), "queues", "filter"] } ?? ["work_queues", "filter"], body: body,
            effort: effort)
    }

    /// Reads all queues whose names begin with one of the prefixes, in pages of 100.
    public func matchWorkQueues(
        prefixes: [String], inWorkPool pool: String? = nil, effort: RetryPolicy.Effort = .standard
    ) async throws -> [WorkQueue] {
        let filter = WorkQueueFilter(name: .startsWith(prefixes))
        var found: [WorkQueue] = []
        while true {
            let page = try await readWorkQueues(
                inWorkPool: pool, workQueues: filter, limit: 100, offset: found.count, effort: effort)
            if page.isEmpty { return found }
            found += page
        }
    }

    /// Changes a queue: `PATCH /work_queues/{id}`. Members that were never assigned stay as they are.
    public func updateWorkQueue(
        id: UUID, _ changes: WorkQueueUpdate, effort: RetryPolicy.Effort = .standard
    ) async throws {
        guard !changes.members.isEmpty else {
            throw APIError(invalid: "no member of the queue is to be changed", operation: "PATCH /work_queues/{id}")
        }
        try await perform(.patch, ["work_queues", .uuid(id)], body: changes.jsonValue, effort: effort)
    }

    /// Reads the flow runs of a queue that should be started: `POST /work_queues/{id}/get_runs`.
    public func getRunsInWorkQueue(
        id: UUID, limit: Int = 10, scheduledBefore: Timestamp? = nil, effort: RetryPolicy.Effort = .standard
    ) async throws -> [FlowRun] {
        let body: JSONValue = [
            "limit": .int(limit), "scheduled_before": (scheduledBefore ?? .now).jsonValue,
        ]
        return try await read(.post, ["work_queues", .uuid(id), "get_runs"], body: body, effort: effort)
    }

    /// Reads whether a queue is healthy, and its late runs: `GET /work_queues/{id}/status`.
    public func readWorkQueueStatus(
        id: UUID, effort: RetryPolicy.Effort = .standard
    ) async throws -> WorkQueueStatusDetail {
        try await read(.get, ["work_queues", .uuid(id), "status"], effort: effort)
    }

    /// Reads the slots of a queue and the flow runs in them, page by page:
    /// `POST /work_queues/{id}/concurrency_status`.
    ///
    /// - Parameters:
    ///   - page: The number of the page, from 1.
    ///   - limit: The number of flow runs on a page; `nil` means the server's default.
    public func readWorkQueueConcurrencyStatus(
        id: UUID, page: Int = 1, limit: Int? = nil, effort: RetryPolicy.Effort = .standard
    ) async throws -> WorkQueueConcurrencyStatus {
        let body = JSONValue.given(("page", .int(page)), ("limit", limit?.jsonValue))
        return try await read(.post, ["work_queues", .uuid(id), "concurrency_status"], body: body, effort: effort)
    }

    /// Deletes a queue: `DELETE /work_queues/{id}`.
    public func deleteWorkQueue(id: UUID, effort: RetryPolicy.Effort = .standard) async throws {
        try await perform(.delete, ["work_queues", .uuid(id)], effort: effort)
    }
}
