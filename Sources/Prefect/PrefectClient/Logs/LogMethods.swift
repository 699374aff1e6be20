internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Writes lines of logs: `POST /logs/`. A server keeps lines with a flow run; only Cloud keeps others.
    ///
    /// - Parameter logs: The lines. The API refuses a request of more than about 1 MB with 413.
    public func createLogs(_ logs: [LogCreate], effort: RetryPolicy.Effort = .standard) async throws {
        let lines = logs.map { log in
            var members = log.members
            // A server does not know this member, so it is sent only when it has a value.
            if members["worker_id"]?.isNull ?? false { members["worker_id"] = nil }
            return JSONValue.object(members)
        }
        try await perform(.post, ["logs", ""], body: .array(lines), effort: effort)
    }

    /// Reads lines of logs, at most 200: `POST /logs/filter`. ``Pages`` reads more.
    ///
    /// - Parameters:
    ///   - logs: The lines to read; without a filter, the lines of all runs.
    ///   - limit: The number of lines to read; `nil` means the server's limit, 200.
    public func readLogs(
        logs: LogFilter? = nil, sort: LogSort = .timestampAscending, limit: Int? = nil, offset: Int? = nil,
        effort: RetryPolicy.Effort = .standard
    ) async throws -> [Log] {
        let body: JSONValue = [
            "logs": logs.orNull, "limit": limit.orNull, "offset": offset.orNull, "sort": sort.jsonValue,
        ]
        return try await read(.post, ["logs", "filter"], body: body, effort: effort)
    }
}
