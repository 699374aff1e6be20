internal import PrefectJSON

/// The names that the worker and the server agree on.
enum ChannelProtocol {
    static let subprotocol = "prefect"
    static let version = "work_pool_worker_channel.v1"
    static let heartbeat = "worker_heartbeat.v1"
    static let snapshot = "work_pool_snapshot.v1"
    static let cleanup = "cleanup_delivery.v1"
    static let required = [heartbeat, snapshot]
}

/// A frame to the server.
struct OutgoingFrame: Sendable, Hashable {
    let json: JSONValue

    var text: String { json.serialized() }

    /// The first frame, whose form differs from the form of all others.
    static func auth(token: String?) -> OutgoingFrame {
        OutgoingFrame(json: ["type": "auth", "token": JSONValue(token)])
    }

    init(json: JSONValue) { self.json = json }

    init(_ type: String, id: String, at now: Timestamp, _ payload: JSONValue) {
        json = ["type": .string(type), "id": .string(id), "sent_at": .string(now.apiFormat), "payload": payload]
    }
}

extension WorkerChannel.Identity {
    /// Whether the worker requests cleanups.
    var wantsCleanups: Bool { !handledCleanupKinds.isEmpty && maxCleanupConcurrency > 0 }

    /// The payload of `worker.hello.v1`.
    func hello(introducingItself: Bool) -> JSONValue {
        let capabilities = ChannelProtocol.required + (wantsCleanups ? [ChannelProtocol.cleanup] : [])
        return [
            "consumer_id": .string(consumerID),
            "worker_name": .string(workerName),
            "worker_type": .string(workerType),
            "heartbeat_interval_seconds": .int(heartbeatIntervalSeconds),
            "supported_channel_versions": [.string(ChannelProtocol.version)],
            "requested_capabilities": .array(capabilities.map(JSONValue.string)),
            "work_queue_names": .array(workQueueNames.sorted().map(JSONValue.string)),
            "handled_cleanup_kinds": wantsCleanups ? .array(handledCleanupKinds.map(JSONValue.string)) : [],
            "max_cleanup_concurrency": .int(wantsCleanups ? maxCleanupConcurrency : 0),
            "create_pool_if_not_found": .bool(createsPool),
            "default_base_job_template": defaultTemplate,
            // There are no integrations to report, but the API checks that the member exists.
            "worker_metadata": introducingItself ? ["integrations": []] : .null,
        ]
    }
}
