internal import FoundationEssentials
internal import PrefectJSON

/// A frame from the server. Reading is as strict as the protocol, except for unknown members: they are ignored, because
/// newer servers may send them.
enum IncomingFrame: Sendable, Hashable {
    case ready(ChannelReady)
    case snapshot(ChannelSnapshot)
    case cleanup(CleanupMessage)
    case result(CleanupResult)

    /// A frame, and the time when it was sent, by the server's clock.
    struct Received: Sendable, Hashable {
        let frame: IncomingFrame
        let sentAt: Timestamp
    }

    static func read(_ text: String) throws(ChannelOutage) -> Received {
        let fields = try members(of: text)
        do {
            let type = try fields.string("type")
            _ = try fields.uuid("id")
            let sentAt = try fields.timestamp("sent_at")
            let frame: IncomingFrame? =
                switch type {
                case "worker.ready.v1": .ready(try fields.decode("payload"))
                case "work_pool.snapshot.v1": .snapshot(try fields.decode("payload"))
                case "cleanup.message.v1": .cleanup(try fields.decode("payload"))
                case "cleanup.operation_result.v1": .result(try fields.decode("payload"))
                default: nil
                }
            guard let frame else { throw ChannelOutage.violation("frame type \(quoted(type)) is unknown") }
            return Received(frame: frame, sentAt: sentAt)
        } catch let error as JSONDecodingError {
            throw .violation("frame is not as expected: \(error)")
        } catch let error as ChannelOutage {
            throw error
        } catch {
            throw .violation("frame cannot be read")
        }
    }

    /// The answer to `auth`, which has no envelope.
    static func readAuthAnswer(_ text: String) throws(ChannelOutage) {
        let fields = try members(of: text)
        if fields.optionalString("type") == "auth_success" { return }
        let reason = fields.optionalString("reason").flatMap(ChannelOutage.Reason.init(rawValue:))
        throw ChannelOutage(
            reason.flatMap { $0.isOfCloseFrames ? $0 : nil } ?? .protocolError,
            "the server does not accept the credentials of the worker channel")
    }

    private static func members(of text: String) throws(ChannelOutage) -> JSONFields {
        do {
            return try JSONFields(JSONValue(parsing: Array(text.utf8)))
        } catch {
            throw .violation("frame is no JSON object")
        }
    }

    /// A text from the server as a message may show it: in quotes, on one line, and shortened.
    private static func quoted(_ text: String) -> String {
        "'" + String(text.unicodeScalars.prefix(60)).onOneLine + "'"
    }
}

/// The payload of `worker.ready.v1`.
struct ChannelReady: Sendable, Hashable, JSONDecodable {
    let consumerID: String
    let workerID: String?
    let heartbeatIntervalSeconds: Int
    let acceptsCleanup: Bool
    let maxCleanupConcurrency: Int
    let snapshot: ChannelSnapshot

    init(json fields: JSONFields) throws(JSONDecodingError) {
        consumerID = try fields.uuid("consumer_id")
        workerID = fields.value("worker_id") == nil ? nil : try fields.uuid("worker_id")
        guard try fields.string("selected_channel_version") == ChannelProtocol.version else {
            throw fields.error("selected_channel_version", "is not one that was offered")
        }
        heartbeatIntervalSeconds = try fields.integer("effective_heartbeat_interval_seconds", atLeast: 1)
        let accepted = try fields.texts("accepted_capabilities")
        let rejected = try fields.texts("rejected_capabilities")
        guard ChannelProtocol.required.allSatisfy(accepted.contains) else {
            throw fields.error("accepted_capabilities", "lacks a capability of every worker channel")
        }
        guard Set(accepted).isDisjoint(with: rejected) else {
            throw fields.error("rejected_capabilities", "has an accepted capability")
        }
        acceptsCleanup = accepted.contains(ChannelProtocol.cleanup)
        maxCleanupConcurrency =
            fields.value("effective_max_cleanup_concurrency") == nil
            ? 0 : try fields.integer("effective_max_cleanup_concurrency", atLeast: 0)
        guard acceptsCleanup == (maxCleanupConcurrency > 0) else {
            throw fields.error("effective_max_cleanup_concurrency", "does not match the capabilities")
        }
        snapshot = try fields.decode("initial_snapshot")
        guard snapshot.reason == .initial, snapshot.sequence == 1 else {
            throw fields.error("initial_snapshot", "is not the first one")
        }
    }
}

/// The state of a work pool at one moment, and the reason why the server sent it.
struct ChannelSnapshot: Sendable, Hashable, JSONDecodable {
    /// The number of the snapshot within one connection.
    let sequence: Int
    let reason: WorkerChannel.SnapshotReason
    let pool: WorkPool

    init(json fields: JSONFields) throws(JSONDecodingError) {
        sequence = try fields.integer("snapshot_sequence", atLeast: 1)
        let reason = try fields.string("reason")
        guard !reason.isEmpty else { throw fields.error("reason", "is empty") }
        self.reason = WorkerChannel.SnapshotReason(rawValue: reason)
        pool = try fields.value("work_pool", as: WorkPool.self)
        let members = try JSONFields(fields.value("work_pool") ?? .null, path: fields.path(of: "work_pool"))
        _ = try members.uuid("id")
        guard members.value("base_job_template")?.objectValue != nil else {
            throw members.error("base_job_template", "should be an object")
        }
        guard members.optionalBool("is_paused") != nil else {
            throw members.error("is_paused", "should be a boolean")
        }
    }
}

extension JSONFields {
    func error(_ key: String, _ problem: String) -> JSONDecodingError {
        JSONDecodingError(path: path(of: key), problem: problem)
    }

    /// A required UUID, in lower case.
    func uuid(_ key: String) throws(JSONDecodingError) -> String {
        guard let id = UUID(uuidString: try string(key)) else { throw error(key, "should be a UUID") }
        return id.text
    }

    /// A UUID, or `nil` when it is absent or `null`.
    func uuidIfPresent(_ key: String) throws(JSONDecodingError) -> String? {
        value(key) == nil ? nil : try uuid(key)
    }

    /// A text, or `nil` when it is absent or `null`.
    func stringIfPresent(_ key: String) throws(JSONDecodingError) -> String? {
        value(key) == nil ? nil : try string(key)
    }

    /// A required time.
    func timestamp(_ key: String) throws(JSONDecodingError) -> Timestamp {
        guard let time = Timestamp(try string(key)) else { throw error(key, "should be a time") }
        return time
    }

    func integer(_ key: String, atLeast minimum: Int) throws(JSONDecodingError) -> Int {
        guard let number = optionalInt(key), number >= minimum else {
            throw error(key, "should be an integer of at least \(minimum)")
        }
        return number
    }

    /// The strings of an array; empty when it is absent. Any other element is an error.
    func texts(_ key: String) throws(JSONDecodingError) -> [String] {
        guard let value = value(key) else { return [] }
        let texts = strings(key)
        guard let elements = value.arrayValue, elements.count == texts.count else {
            throw error(key, "should be an array of strings")
        }
        return texts
    }
}
