public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

// Limits of task runs by their tags. Limits by name are in GlobalLimitMethods.swift.
extension APIClient {
    /// Creates the limit of a tag, or replaces the one that exists: `POST /concurrency_limits/`.
    ///
    /// - Parameters:
    ///   - tag: The tag of task runs.
    ///   - limit: The number of task runs with this tag that run at once.
    /// - Returns: The id of the limit.
    public func createConcurrencyLimit(
        tag: String, limit: Int, effort: RetryPolicy.Effort = .standard
    ) async throws -> UUID {
        let body = ConcurrencyLimitCreate(tag: tag, concurrencyLimit: limit).jsonValue
        return try await createdID(.post, ["concurrency_limits", ""], body: body, effort: effort)
    }

    /// Reads the limit of a tag: `GET /concurrency_limits/tag/{tag}`.
    public func readConcurrencyLimit(
        tag: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> ConcurrencyLimit {
        try await read(.get, ["concurrency_limits", "tag", .name(tag)], effort: effort)
    }

    /// Reads limits of tags, at most 200: `POST /concurrency_limits/filter`. ``Pages`` reads more.
    public func readConcurrencyLimits(
        limit: Int = 200, offset: Int = 0, effort: RetryPolicy.Effort = .standard
    ) async throws -> [ConcurrencyLimit] {
        let body: JSONValue = ["limit": .int(limit), "offset": .int(offset)]
        return try await read(.post, ["concurrency_limits", "filter"], body: body, effort: effort)
    }

    /// Takes a slot of each tag's limit for a task run: `POST /concurrency_limits/increment`.
    ///
    /// - Parameter names: The tags. Those without a limit are left out of the answer.
    /// - Throws: An ``APIError`` with ``APIError/isLocked`` when a limit has no free slot.
    @discardableResult
    public func incrementV1ConcurrencySlots(
        names: [String], taskRunID: UUID, effort: RetryPolicy.Effort = .standard
    ) async throws -> [MinimalConcurrencyLimit] {
        let body: JSONValue = ["names": names.jsonValue, "task_run_id": taskRunID.jsonValue]
        return try await read(.post, ["concurrency_limits", "increment"], body: body, effort: effort)
    }

    /// Frees the slots of a task run: `POST /concurrency_limits/decrement`.
    ///
    /// - Parameters:
    ///   - names: The tags. Those without a limit are left out of the answer.
    ///   - occupancy: The time for which the slots were taken.
    @discardableResult
    public func decrementV1ConcurrencySlots(
        names: [String], taskRunID: UUID, occupancy: Duration, effort: RetryPolicy.Effort = .standard
    ) async throws -> [MinimalConcurrencyLimit] {
        let body: JSONValue = [
            "names": names.jsonValue, "task_run_id": taskRunID.jsonValue, "occupancy_seconds": occupancy.jsonValue,
        ]
        return try await read(.post, ["concurrency_limits", "decrement"], body: body, effort: effort)
    }

    /// Replaces the task runs that hold the slots of a tag: `POST /concurrency_limits/tag/{tag}/reset`.
    ///
    /// - Parameter slots: The ids of the task runs; `nil` frees all slots.
    public func resetConcurrencyLimit(
        tag: String, slots: [UUID]? = nil, effort: RetryPolicy.Effort = .standard
    ) async throws {
        let body: JSONValue = ["slot_override": slots.orNull]
        try await perform(.post, ["concurrency_limits", "tag", .name(tag), "reset"], body: body, effort: effort)
    }

    /// Deletes the limit of a tag: `DELETE /concurrency_limits/tag/{tag}`.
    public func deleteConcurrencyLimit(tag: String, effort: RetryPolicy.Effort = .standard) async throws {
        try await perform(.delete, ["concurrency_limits", "tag", .name(tag)], effort: effort)
    }
}
