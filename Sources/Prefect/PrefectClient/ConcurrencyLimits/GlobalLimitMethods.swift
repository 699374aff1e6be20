public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

// Limits by name. Slots are taken by ConcurrencySlotMethods.swift.
extension APIClient {
    /// Creates a limit: `POST /v2/concurrency_limits/`. The API answers 409 when a limit has this name.
    ///
    /// - Returns: The id of the limit.
    public func createGlobalConcurrencyLimit(
        _ limit: GlobalConcurrencyLimitCreate, effort: RetryPolicy.Effort = .standard
    ) async throws -> UUID {
        try await createdID(.post, ["v2", "concurrency_limits", ""], body: limit.jsonValue, effort: effort)
    }

    /// Reads a limit by its name: `GET /v2/concurrency_limits/{name}`.
    public func readGlobalConcurrencyLimit(
        named name: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> GlobalConcurrencyLimit {
        try await read(.get, ["v2", "concurrency_limits", .name(name)], effort: effort)
    }

    /// Reads limits: `POST /v2/concurrency_limits/filter`. ``Pages`` reads all.
    ///
    /// - Parameter limit: The number of limits to read, at most 200.
    public func readGlobalConcurrencyLimits(
        limit: Int = 10, offset: Int = 0, effort: RetryPolicy.Effort = .standard
    ) async throws -> [GlobalConcurrencyLimit] {
        let body: JSONValue = ["limit": .int(limit), "offset": .int(offset)]
        return try await read(.post, ["v2", "concurrency_limits", "filter"], body: body, effort: effort)
    }

    /// Changes a limit: `PATCH /v2/concurrency_limits/{name}`. Members that were never assigned stay as they are.
    public func updateGlobalConcurrencyLimit(
        named name: String, _ changes: GlobalConcurrencyLimitUpdate, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await perform(
            .patch, ["v2", "concurrency_limits", .name(name)], body: changes.jsonValue, effort: effort)
    }

    /// Creates a limit, or changes the one of this name where it differs.
    ///
    /// The API has no such request. The method reads the limit, and then sends `POST` or `PATCH` when it must. A limit
    /// that somebody else creates in between is changed too.
    ///
    /// - Parameters:
    ///   - limit: The number of slots.
    ///   - slotDecayPerSecond: The number of slots that are freed each second; `nil` does not change it.
    public func upsertGlobalConcurrencyLimit(
        named name: String, limit: Int, slotDecayPerSecond: Double? = nil, effort: RetryPolicy.Effort = .standard
    ) async throws {
        do {
            let existing = try await readGlobalConcurrencyLimit(named: name, effort: effort)
            let decay = slotDecayPerSecond ?? existing.slotDecayPerSecond
            if existing.limit == limit, existing.slotDecayPerSecond == decay { return }
        } catch let error as APIError where error.isNotFound {
            let created = GlobalConcurrencyLimitCreate(name: name, limit: limit) { created in
                if let slotDecayPerSecond { created.slotDecayPerSecond = slotDecayPerSecond }
            }
            do {
                _ = try await createGlobalConcurrencyLimit(created, effort: effort)
                return
            } catch let error as APIError where error.isConflict {
                // Somebody else has created the limit since the read.
            }
        }
        let changes = GlobalConcurrencyLimitUpdate { changes in
            changes.limit = limit
            if let slotDecayPerSecond { changes.slotDecayPerSecond = slotDecayPerSecond }
        }
        try await updateGlobalConcurrencyLimit(named: name, changes, effort: effort)
    }

    /// Deletes a limit: `DELETE /v2/concurrency_limits/{name}`.
    public func deleteGlobalConcurrencyLimit(
        named name: String, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await perform(.delete, ["v2", "concurrency_limits", .name(name)], effort: effort)
    }
}
