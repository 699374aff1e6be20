internal import HTTPTransport
internal import OrderedCollections
public import PrefectJSON

extension APIClient {
    /// Reads a work pool: `GET /work_pools/{name}`. The API answers 404 when no pool has that name.
    public func readWorkPool(
        named name: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> WorkerWorkPool {
        try await send(APIRequest(.get, ["work_pools", .name(name)]), effort: effort).decode()
    }

    /// Reads at most `limit` work pools: `POST /work_pools/filter`. Unreadable pools are omitted.
    public func readWorkPools(limit: Int, effort: RetryPolicy.Effort = .standard) async throws -> [WorkerWorkPool] {
        let request = APIRequest(.post, ["work_pools", "filter"], body: ["limit": .int(limit)])
        let rows = try await json(request, effort: effort).arrayValue ?? []
        return rows.compactMap { try? WorkerWorkPool(json: JSONFields($0)) }
    }

    /// Creates a work pool: `POST /work_pools/`. The API answers 409 when a pool already has that name.
    public func createWorkPool(named name: String, type: String, baseJobTemplate: JSONValue?) async throws
        -> WorkerWorkPool
    {
        var body: JSONValue = ["name": .string(name), "type": .string(type)]
        if let baseJobTemplate { body["base_job_template"] = baseJobTemplate }
        return try await send(APIRequest(.post, ["work_pools", ""], body: body)).decode()
    }

    /// Sets the template of a work pool: `PATCH /work_pools/{name}`.
    public func updateWorkPool(named name: String, baseJobTemplate: JSONValue) async throws {
        let body: JSONValue = ["base_job_template": baseJobTemplate]
        _ = try await send(APIRequest(.patch, ["work_pools", .name(name)], body: body))
    }

    /// Reads a queue of a pool: `GET /work_pools/{pool}/queues/{name}`. The API answers 404 when the pool or the queue
    /// does not exist.
    public func readWorkQueue(named name: String, ofPool pool: String) async throws -> WorkerWorkQueue {
        try await send(APIRequest(.get, ["work_pools", .name(pool), "queues", .name(name)])).decode()
    }

    /// Creates a queue of a pool: `POST /work_pools/{pool}/queues`. The API answers 409 when a queue already has that
    /// name.
    public func createWorkQueue(named name: String, ofPool pool: String) async throws -> WorkerWorkQueue {
        let body: JSONValue = ["name": .string(name)]
        return try await send(APIRequest(.post, ["work_pools", .name(pool), "queues"], body: body)).decode()
    }

    /// Reads the queues of a pool, either all or those with these names: `POST /work_pools/{pool}/queues/filter`.
    public func readWorkQueues(
        ofPool pool: String, named names: [String], effort: RetryPolicy.Effort = .standard
    ) async throws -> [WorkerWorkQueue] {
        let filter: JSONValue = names.isEmpty ? .null : ["name": ["any_": .array(names.map(JSONValue.string))]]
        let request = APIRequest(
            .post, ["work_pools", .name(pool), "queues", "filter"], body: ["work_queues": filter, "offset": 0])
        let rows = try await json(request, effort: effort).arrayValue ?? []
        return rows.compactMap { try? WorkerWorkQueue(json: JSONFields($0)) }
    }

    /// The members of a worker's heartbeat.
    package struct Heartbeat: Sendable {
        /// The worker's name, unique within the pool.
        package var workerName: String
        /// The interval between heartbeats, in seconds. The server counts a worker as offline after three missing
        /// heartbeats.
        package var intervalSeconds: Int
        /// Whether to request the worker's id, which only Cloud assigns.
        package var asksForID: Bool

        package init(workerName: String, intervalSeconds: Int, asksForID: Bool) {
            self.workerName = workerName
            self.intervalSeconds = intervalSeconds
            self.asksForID = asksForID
        }
    }

    /// Sends a heartbeat: `POST /work_pools/{pool}/workers/heartbeat`.
    ///
    /// - Returns: The worker's id, if it was requested and the API has one.
    package func sendHeartbeat(_ heartbeat: Heartbeat, toPool pool: String) async throws -> String? {
        var body: JSONValue = [
            "name": .string(heartbeat.workerName), "heartbeat_interval_seconds": .int(heartbeat.intervalSeconds),
        ]
        if heartbeat.asksForID {
            // There are no integrations to report, but Cloud checks that the member exists.
            body["metadata"] = ["integrations": []]
            body["return_id"] = true
        }
        let request = APIRequest(.post, ["work_pools", .name(pool), "workers", "heartbeat"], body: body)
        let answer = try await send(request, effort: .once)
        let text = String(decoding: answer.body, as: UTF8.self)
            .trimming(while: { $0.isWhitespace || $0 == "\"" })
        return heartbeat.asksForID && answer.status == 200 && text.utf8.count == 36 ? text : nil
    }

    /// Polls for runs that are due: `POST /work_pools/{pool}/get_scheduled_flow_runs`.
    ///
    /// - Parameters:
    ///   - queues: The names of the queues to poll; empty means all.
    ///   - scheduledBefore: Runs that are due later are not returned.
    ///   - limit: The maximum number of runs; `nil` means the server's own limit (200).
    /// - Returns: The readable runs in the server's order of priority, and the problems of the unreadable ones.
    package func scheduledFlowRuns(
        inPool pool: String, queues: [String], scheduledBefore: Timestamp, limit: Int?
    ) async throws -> ScheduledFlowRuns {
        let request = Self.poll(pool, queues: queues, scheduledBefore: scheduledBefore, limit: limit)
        let answer = try await send(request, effort: .once)
        guard let rows = try answer.json().arrayValue else {
            throw APIError(.unreadable, operation: request.operation, detail: "the answer is not a list of runs")
        }
        var runs: [WorkerFlowRun] = []
        var unreadable: [String] = []
        for (index, row) in rows.enumerated() {
            do {
                let path = "[\(index)]"
                runs.append(try JSONFields(row, path: path).decode("flow_run", as: WorkerFlowRun.self))
            } catch {
                unreadable.append(error.description)
            }
        }
        return ScheduledFlowRuns(runs: runs, unreadable: unreadable)
    }

    /// The id of the first run that is due, even if the run is too large to be read. The id is at the beginning of the
    /// answer to `POST /work_pools/{pool}/get_scheduled_flow_runs`. `nil` when no run is due, or the answer begins in
    /// another way.
    package func firstScheduledFlowRunID(
        inPool pool: String, queues: [String], scheduledBefore: Timestamp
    ) async throws -> String? {
        var request = Self.poll(pool, queues: queues, scheduledBefore: scheduledBefore, limit: 1)
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

    private static func poll(
        _ pool: String, queues: [String], scheduledBefore: Timestamp, limit: Int?
    ) -> APIRequest {
        var body: JSONValue = [
            "work_queue_names": .array(queues.map(JSONValue.string)),
            "scheduled_before": .string(scheduledBefore.pythonText),
        ]
        if let limit { body["limit"] = .int(limit) }
        return APIRequest(.post, ["work_pools", .name(pool), "get_scheduled_flow_runs"], body: body)
    }

    /// The result of a poll.
    package struct ScheduledFlowRuns: Sendable {
        /// The runs that are due.
        package let runs: [WorkerFlowRun]
        /// A description of the problem for each run that could not be read.
        package let unreadable: [String]
    }
}

extension APIClient {
    /// The version of the server: `GET /admin/version`. Cloud has no such route and answers 404.
    public func readServerVersion() async throws -> String {
        let answer = try await send(APIRequest(.get, ["admin", "version"]), effort: .once)
        return try answer.json().stringValue ?? "unknown"
    }
}

extension APIClient {
    /// The names of a pool's workers that are online: `POST /work_pools/{pool}/workers/filter`.
    package func readOnlineWorkers(ofPool pool: String) async throws -> [String] {
        let request = APIRequest(.post, ["work_pools", .name(pool), "workers", "filter"], body: ["limit": 200])
        let rows = try await json(request, effort: .once).arrayValue ?? []
        return rows.filter { $0["status"]?.stringValue == "ONLINE" }.compactMap { $0["name"]?.stringValue }
    }
}
