internal import FoundationEssentials
internal import HTTPTransport
package import Logging
package import PrefectJSON

/// One line of a log in the API. Mirrors the API's `LogCreate`.
package struct LogRecord: Sendable, Hashable {
    /// The logger's name, such as `prefect.flow_runs.worker`.
    package var logger: String
    /// The severity: 10 debug, 20 info, 30 warning, 40 error.
    package var level: Int
    /// The text.
    package var message: String
    /// When the line was written.
    package var timestamp: Timestamp
    /// The id of the flow run that the line belongs to; `nil` for the worker's own log, which only Cloud keeps.
    package var flowRunID: String?
    /// The worker's id, if the API has assigned one.
    package var workerID: String?

    package init(
        logger: String, level: Int, message: String, timestamp: Timestamp = .now, flowRunID: String?,
        workerID: String? = nil
    ) {
        self.logger = logger
        self.level = level
        self.message = message
        self.timestamp = timestamp
        self.flowRunID = flowRunID
        self.workerID = workerID
    }

    var json: JSONValue {
        var json: JSONValue = [
            "name": .string(logger), "level": .int(level), "message": .string(message.withoutNUL),
            "timestamp": .string(timestamp.apiFormat), "flow_run_id": JSONValue(flowRunID), "task_run_id": nil,
        ]
        if let workerID { json["worker_id"] = .string(workerID) }
        return json
    }

    /// The record with its message cut, so that the whole record stays within a number of bytes.
    func truncated(toBytes maximum: Int) -> LogRecord {
        // Only the message's own bytes count; the other members stay well below this margin.
        let room = max(0, maximum - 400)
        var copy = self
        copy.message = message.truncated(toBytes: room)
        return copy
    }
}

/// Sends log lines to the API in batches: `POST /logs/`.
///
/// During an outage of any length, at most 50,000 lines or 16 MiB wait beside the batch in flight. Beyond that, the
/// oldest are dropped, as described in ``BatchShipper``.
package struct LogShipper: Sendable {
    private let shipper: BatchShipper<LogRecord>
    private let maximumRecordBytes: Int
    private let isEnabled: Bool

    /// Creates a shipper; ``run()`` does the work.
    ///
    /// - Parameters:
    ///   - interval: The time that a batch waits for further lines (`PREFECT_LOGGING_TO_API_BATCH_INTERVAL`).
    ///   - batchBytes: The largest batch (`PREFECT_LOGGING_TO_API_BATCH_SIZE`).
    ///   - maximumRecordBytes: The size above which lines are cut (`PREFECT_LOGGING_TO_API_MAX_LOG_SIZE`).
    ///   - isEnabled: Whether lines are sent at all (`PREFECT_LOGGING_TO_API_ENABLED`).
    ///   - backlogBytes: The maximum number of waiting bytes.
    ///   - backlogItems: The maximum number of waiting lines.
    ///   - logger: Receives one line about each loss.
    package init(
        api: APIClient, interval: Duration, batchBytes: Int, maximumRecordBytes: Int, isEnabled: Bool,
        backlogBytes: Int = 16 << 20, backlogItems: Int = 50_000, logger: Logger
    ) {
        self.maximumRecordBytes = maximumRecordBytes
        self.isEnabled = isEnabled
        let limits = BatchShipper<LogRecord>.Limits(
            interval: interval, batchBytes: max(batchBytes - maximumRecordBytes, maximumRecordBytes),
            batchItems: 5000, backlogBytes: backlogBytes, backlogItems: backlogItems)
        shipper = BatchShipper(
            name: "log lines", limits: limits, reachability: api.reachability, logger: logger
        ) { records in
            await api.deliver(APIRequest(.post, ["logs", ""], body: .array(records.map(\.json))))
        }
    }

    /// Queues a line; never waits.
    package func add(_ record: LogRecord) {
        guard isEnabled else { return }
        let bounded = record.truncated(toBytes: maximumRecordBytes)
        let names = [bounded.logger, bounded.flowRunID ?? "", bounded.workerID ?? ""]
        shipper.add(bounded, bytes: names.reduce(bounded.message.utf8.count + 250) { $0 + $1.utf8.count })
    }

    /// Delivers lines until the shipper is closed and all are delivered, or the task is cancelled.
    package func run() async { await shipper.run() }

    /// Makes ``run()`` deliver the waiting lines and return.
    package func close() { shipper.close() }

    /// The number of waiting lines.
    package var backlog: Int { shipper.backlog }

    /// The number of waiting bytes, as ``BatchShipper/Limits/backlogBytes`` counts them.
    package var backlogBytes: Int { shipper.backlogBytes }
}

extension String {
    /// The text as the API's database can store it. The API would refuse a text with a NUL again and again.
    var withoutNUL: String { utf8.contains(0) ? replacing("\0", with: "\u{FFFD}") : self }

    /// The text within a number of bytes. A cut text ends with a mark.
    func truncated(toBytes maximum: Int) -> String {
        guard utf8.count > maximum else { return self }
        let mark = "... [truncated]"
        return String(decoding: utf8.prefix(max(0, maximum - mark.utf8.count)), as: UTF8.self) + mark
    }
}

extension APIClient {
    /// Sends one batch and returns the result. When the API refuses the credentials, the batch is postponed, because
    /// the refusal does not concern it.
    func deliver(_ request: APIRequest) async -> BatchDelivery {
        var request = request
        request.maximumBodyBytes = 1 << 20
        switch await attempt(request) {
        case .success: return .delivered
        case .failure(let error):
            return error.isTransient || error.isUnauthorized
                ? .postponed(after: error.retryAfter) : .refused(reason: error.description)
        }
    }

    private func attempt(_ request: APIRequest) async -> Result<Void, APIError> {
        do {
            _ = try await send(request, effort: .once)
            return .success(())
        } catch let error as APIError {
            return .failure(error)
        } catch {
            return .failure(
                APIError(.unreadable, operation: request.operation, detail: "the request was cancelled"))
        }
    }
}
