public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

// Slots of the limits by name, with and without a lease.
extension APIClient {
    /// Takes slots of limits: `POST /v2/concurrency_limits/increment`. The slots stay taken until they are released.
    ///
    /// - Parameters:
    ///   - names: The names of the limits. Unknown ones are left out of the answer.
    ///   - slots: The number of slots of each limit.
    ///   - mode: Whether the slots are held or used up at a rate. A rate needs limits whose slots decay; otherwise the
    ///     API answers 422.
    /// - Throws: An ``APIError`` with ``APIError/isLocked`` and ``APIError/retryAfter`` when slots are missing.
    @discardableResult
    public func incrementConcurrencySlots(
        names: [String], slots: Int, mode: ConcurrencyMode = .concurrency, effort: RetryPolicy.Effort = .standard
    ) async throws -> [MinimalConcurrencyLimit] {
        let body: JSONValue = ["names": names.jsonValue, "slots": .int(slots), "mode": mode.jsonValue]
        return try await read(.post, ["v2", "concurrency_limits", "increment"], body: body, effort: effort)
    }

    /// Releases slots of limits: `POST /v2/concurrency_limits/decrement`.
    ///
    /// - Parameters:
    ///   - names: The names of the limits. Unknown ones are left out of the answer.
    ///   - slots: The number of slots of each limit.
    ///   - occupancy: The time for which the slots were taken. The API estimates later waits from it.
    @discardableResult
    public func releaseConcurrencySlots(
        names: [String], slots: Int, occupancy: Duration, effort: RetryPolicy.Effort = .standard
    ) async throws -> [MinimalConcurrencyLimit] {
        let body: JSONValue = [
            "names": names.jsonValue, "slots": .int(slots), "occupancy_seconds": occupancy.jsonValue,
        ]
        return try await read(.post, ["v2", "concurrency_limits", "decrement"], body: body, effort: effort)
    }

    /// Takes slots for a limited time: `POST /v2/concurrency_limits/increment-with-lease`.
    ///
    /// The API releases the slots when the lease ends. So a holder that ends without notice blocks nobody for long.
    ///
    /// - Parameters:
    ///   - names: The names of the limits. Unknown ones are left out of the answer.
    ///   - slots: The number of slots of each limit.
    ///   - mode: Whether the slots are held or used up at a rate.
    ///   - leaseDuration: The duration of the lease; ``renewConcurrencyLease(id:for:effort:)`` extends it.
    ///   - holder: The object that holds the slots, which Prefect shows.
    /// - Throws: An ``APIError`` with ``APIError/isLocked`` and ``APIError/retryAfter`` when slots are missing.
    public func incrementConcurrencySlotsWithLease(
        names: [String], slots: Int, mode: ConcurrencyMode = .concurrency, leaseDuration: Duration,
        holder: ConcurrencyLeaseHolder? = nil, effort: RetryPolicy.Effort = .standard
    ) async throws -> ConcurrencyLease {
        var body: JSONValue = [
            "names": names.jsonValue, "slots": .int(slots), "mode": mode.jsonValue,
            "lease_duration": leaseDuration.jsonValue,
        ]
        if let holder { body["holder"] = holder.jsonValue }
        return try await read(
            .post, ["v2", "concurrency_limits", "increment-with-lease"], body: body, effort: effort)
    }

    /// Extends a lease from now: `POST /v2/concurrency_limits/leases/{id}/renew`. The API answers 410 when it has ended.
    public func renewConcurrencyLease(
        id: UUID, for duration: Duration, effort: RetryPolicy.Effort = .standard
    ) async throws {
        let body: JSONValue = ["lease_duration": duration.jsonValue]
        try await perform(
            .post, ["v2", "concurrency_limits", "leases", .uuid(id), "renew"], body: body, effort: effort)
    }

    /// Releases the slots of a lease: `POST /v2/concurrency_limits/decrement-with-lease`. An unknown lease is no error.
    public func releaseConcurrencySlotsWithLease(
        id: UUID, effort: RetryPolicy.Effort = .standard
    ) async throws {
        let body: JSONValue = ["lease_id": id.jsonValue]
        try await perform(.post, ["v2", "concurrency_limits", "decrement-with-lease"], body: body, effort: effort)
    }
}
