internal import HTTPTransport
internal import OrderedCollections
public import PrefectJSON

extension APIClient {
    /// Creates a work pool: `POST /work_pools/`. The API answers 409 when a pool has this name, and 403 when the name is
    /// reserved.
    ///
    /// - Parameter replacing: Whether a pool of this name receives the members of `pool` instead, with the API's
    ///   defaults for members that were never assigned. Its type stays as it is.
    public func createWorkPool(
        _ pool: WorkPoolCreate, replacing: Bool = false, effort: RetryPolicy.Effort = .standard
    ) async throws -> WorkPool {
        do {
            return try await read(.post, ["work_pools", ""], body: pool.jsonValue, effort: effort)
        } catch let error as APIError where replacing && error.isConflict {
            _ = try await readWorkPool(named: pool.name, effort: effort)
            let changes = WorkPoolUpdate { changes in
                changes.description = pool.description
                changes.isPaused = pool.isPaused ?? false
                changes.baseJobTemplate = pool.baseJobTemplate ?? [:]
                changes.concurrencyLimit = pool.concurrencyLimit
                changes.storageConfiguration =
                    pool.storageConfiguration
                    ?? WorkPoolStorageConfiguration {
                        $0.bundleUploadStep = nil
                        $0.bundleExecutionStep = nil
                        $0.defaultResultStorageBlockID = nil
                    }
            }
            try await updateWorkPool(named: pool.name, changes, effort: effort)
            return try await readWorkPool(named: pool.name, effort: effort)
        }
    }

    /// Reads a work pool: `GET /work_pools/{name}`.
    public func readWorkPool(named name: String, effort: RetryPolicy.Effort = .standard) async throws -> WorkPool {
        try await read(.get, ["work_pools", .name(name)], effort: effort)
    }

    /// Reads work pools, at most 200: `POST /work_pools/filter`.
    ///
    /// - Parameter limit: The number of pools to read; `nil` means the server's limit, 200.
    public func readWorkPools(
        workPools: WorkPoolFilter? = nil, limit: Int? = nil, offset: Int = 0, effort: RetryPolicy.Effort = .standard
    ) async throws -> [WorkPool] {
        // Prefect's own client sends all members of this filter.
        let unset: JSONObject = ["operator": "and_", "id": .null, "name": .null, "type": .null]
        let filter = workPools.map { JSONValue.object(unset.merging($0.members) { $1 }) }
        let body: JSONValue = ["work_pools": filter.orNull, "limit": limit.orNull, "offset": .int(offset)]
        return try await read(.post, ["work_pools", "filter"], body: body, effort: effort)
    }

    /// Changes a work pool: `PATCH /work_pools/{name}`. Members that were never assigned stay as they are.
    public func updateWorkPool(
        named name: String, _ changes: WorkPoolUpdate, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await perform(.patch, ["work_pools", .name(name)], body: changes.jsonValue, effort: effort)
    }

    /// Reads the slots of a work pool by its queues, page by page: `POST /work_pools/{name}/concurrency_status`.
    ///
    /// - Parameters:
    ///   - page: The number of the page, from 1.
    ///   - limit: The number of queues on a page; `nil` means the server's default.
    ///   - flowRunLimit: The number of flow runs to name for each queue.
    public func readWorkPoolConcurrencyStatus(
        named name: String, page: Int = 1, limit: Int? = nil, flowRunLimit: Int = 10,
        effort: RetryPolicy.Effort = .standard
    ) async throws -> WorkPoolConcurrencyStatus {
        let body = JSONValue.given(
            ("page", .int(page)), ("limit", limit?.jsonValue), ("flow_run_limit", .int(flowRunLimit)))
        return try await read(.post, ["work_pools", .name(name), "concurrency_status"], body: body, effort: effort)
    }

    /// Deletes a work pool with its queues: `DELETE /work_pools/{name}`.
    public func deleteWorkPool(named name: String, effort: RetryPolicy.Effort = .standard) async throws {
        try await perform(.delete, ["work_pools", .name(name)], effort: effort)
    }

    // MARK: Polling

    /// Reads the flow runs of a work pool that a worker should start:
    /// `POST /work_pools/{name}/get_scheduled_flow_runs`. The read counts as a poll of the queues.
    ///
    /// - Parameters:
    ///   - queues: The names of the queues to poll; `nil` means all.
    ///   - scheduledBefore: Runs that are due later are not returned; `nil` means no limit.
    ///   - limit: The maximum number of runs; `nil` means the server's own limit, 200.
    /// - Returns: The runs in the server's order of priority.
    public func getScheduledFlowRuns(
        forWorkPool name: String, queues: [String]? = nil, scheduledBefore: Timestamp? = nil, limit: Int? = nil,
        effort: RetryPolicy.Effort = .standard
    ) async throws -> [WorkerFlowRunResponse] {
        try await send(
            poll(name, queues: queues, scheduledBefore: scheduledBefore, limit: limit), effort: effort
        ).value()
    }

    /// Polls like ``getScheduledFlowRuns(forWorkPool:queues:scheduledBefore:limit:effort:)``, with only one attempt. A
    /// run that cannot be read does not hide the others.
    package func poll(
        workPool name: String, queues: [String], scheduledBefore: Timestamp, limit: Int?
    ) async throws -> ScheduledFlowRuns {
        let request = poll(name, queues: queues, scheduledBefore: scheduledBefore, limit: limit)
        guard let rows = try await send(request, effort: .once).json().arrayValue else {
            throw APIError(.unreadable, operation: request.operation, detail: "the answer is not a list of runs")
        }
        var runs: [FlowRun] = []
        var unreadable: [String] = []
        for (index, row) in rows.enumerated() {
            do {
                runs.append(try FlowRun(jsonValue: row["flow_run"] ?? .null))
            } catch {
                unreadable.append(error.inside("flow_run").inside("[\(index)]").description)
            }
        }
        return ScheduledFlowRuns(runs: runs, unreadable: unreadable)
    }

    /// The result of a poll.
    package struct ScheduledFlowRuns: Sendable {
        /// The runs that are due.
        package let runs: [FlowRun]
        /// A description of the problem for each run that could not be read.
        package let unreadable: [String]
    }

    /// The id of the first run that is due, even if the run is too large to be read. The id is at the beginning of the
    /// answer to `POST /work_pools/{name}/get_scheduled_flow_runs`. `nil` when no run is due, or the answer begins in
    /// another way.
    package func firstScheduledFlowRunID(
        inWorkPool name: String, queues: [String], scheduledBefore: Timestamp
    ) async throws -> String? {
        var request = poll(name, queues: queues, scheduledBefore: scheduledBefore, limit: 1)
        request.maximumBodyBytes = 1024
        request.isCutOff = true
        let text = String(decoding: try await send(request, effort: .once).body, as: UTF8.self)
        // No text of a user precedes the id.
        let beginning =
            #/
            \s* \[ \s* \{ (?: \s* "work_\w+" \s* : \s* "[^"\\]*" \s* , )*
            \s* "flow_run" \s* : \s* \{ \s* "id" \s* : \s* "([0-9A-Fa-f\-]+)"
            /#
        return text.prefixMatch(of: beginning).map { String($0.1) }
    }

    private func poll(
        _ name: String, queues: [String]?, scheduledBefore: Timestamp?, limit: Int?
    ) -> APIRequest {
        let body = JSONValue.given(
            ("work_queue_names", queues?.jsonValue),
            ("scheduled_before", scheduledBefore.map { .string($0.pythonText) }),
            ("limit", limit?.jsonValue))
        return APIRequest(.post, ["work_pools", .name(name), "get_scheduled_flow_runs"], body: body)
    }
}

extension WorkPool {
    /// Whether Prefect Cloud itself submits the pool's runs.
    public var isPushPool: Bool { type.hasSuffix(":push") }

    /// Whether Prefect Cloud itself executes the pool's runs.
    public var isManagedPool: Bool { type.hasSuffix(":managed") }
}
