import OrderedCollections
import PrefectJSON

@testable import PrefectClient

/// Frames that were recorded between a real server and a real worker.
enum ChannelFrames {
    static let consumerID = "01a1fcdf-7600-7ff8-b786-fadedde27990"
    static let messageID = "df900454-9e0b-50c8-bf8b-5ca06f6ac4a7"
    static let token = "I6iPmoSmX6i5f8HTEd4t2n557zVYlVxYPBIeDM_jNxs"

    static let authSuccess: JSONValue = ["type": "auth_success"]

    static let hello: JSONValue = [
        "type": "worker.hello.v1",
        "id": "01a1fcdf-7651-7356-bc9a-bcce7b86be48",
        "sent_at": "2026-11-21T06:51:05.681867Z",
        "payload": [
            "consumer_id": .string(consumerID),
            "worker_name": "Rsch Worker 1",
            "worker_type": "process",
            "heartbeat_interval_seconds": 5,
            "supported_channel_versions": ["work_pool_worker_channel.v1"],
            "requested_capabilities": ["worker_heartbeat.v1", "work_pool_snapshot.v1"],
            "work_queue_names": [],
            "handled_cleanup_kinds": [],
            "max_cleanup_concurrency": 0,
            "create_pool_if_not_found": true,
            "default_base_job_template": template,
            "worker_metadata": ["integrations": []],
        ],
    ]

    static let template: JSONValue = [
        "job_configuration": ["command": "{{ command }}"],
        "variables": [
            "properties": ["command": ["type": "string", "title": "Command"]], "type": "object",
        ],
    ]

    static let ready: JSONValue = [
        "type": "worker.ready.v1",
        "id": "01a1fcdf-767e-7748-a111-982067321baa",
        "sent_at": "2026-11-21T06:51:05.726165Z",
        "payload": [
            "consumer_id": .string(consumerID),
            "worker_id": nil,
            "selected_channel_version": "work_pool_worker_channel.v1",
            "effective_heartbeat_interval_seconds": 5,
            "accepted_capabilities": ["worker_heartbeat.v1", "work_pool_snapshot.v1"],
            "rejected_capabilities": [],
            "effective_max_cleanup_concurrency": 0,
            "resolved_work_queues": [["id": "044490c3-4458-4a2a-a9bf-3f621cbed953", "name": "default"]],
            "initial_snapshot": ["snapshot_sequence": 1, "reason": "initial", "work_pool": pool],
        ],
    ]

    static let pool: JSONValue = [
        "id": "27f2d9a6-fe07-4bfd-8970-6de67267897b",
        "created": "2026-11-21T06:51:05.697996Z",
        "updated": "2026-11-21T06:51:05.719000Z",
        "name": "rsch-process",
        "description": nil,
        "type": "process",
        "base_job_template": template,
        "is_paused": false,
        "concurrency_limit": nil,
        "status": "READY",
        "active_slots": nil,
        "storage_configuration": [
            "bundle_upload_step": nil, "bundle_execution_step": nil, "default_result_storage_block_id": nil,
        ],
        "default_queue_id": "044490c3-4458-4a2a-a9bf-3f621cbed953",
    ]

    static let heartbeat: JSONValue = [
        "type": "worker.heartbeat.v1",
        "id": "01a1fcdf-8a1c-78d4-92e1-1b2c7191db4f",
        "sent_at": "2026-11-21T06:51:10.748924Z",
        "payload": [
            "consumer_id": .string(consumerID), "worker_name": "Rsch Worker 1", "heartbeat_interval_seconds": 5,
        ],
    ]

    static let cleanup: JSONValue = [
        "type": "cleanup.message.v1",
        "id": "01a1fcfb-8796-7780-bf17-100df33c4842",
        "sent_at": "2026-11-21T07:21:45.110338Z",
        "payload": [
            "message_id": .string(messageID),
            "reservation_token": .string(token),
            "lease_expires_at": "2026-11-21T07:22:15.109271Z",
            "delivery_count": 1,
            "work_queue_id": "16df0e92-d3fa-4305-9462-c6b234ee62a3",
            "data": [:],
            "kind": "cancelling_timeout_teardown.v1",
            "target": [
                "flow_run_id": "a22c0e26-e02b-49a1-9e39-d04d3aae4e7c", "infrastructure_pid": "default:run-ok-tjbgf",
            ],
        ],
    ]

    static let ack: JSONValue = [
        "type": "cleanup.ack.v1",
        "id": "01a1fcfb-87f7-70e4-a2c7-f466a2db5dd6",
        "sent_at": "2026-11-21T07:21:45.207593Z",
        "payload": ["message_id": .string(messageID), "reservation_token": .string(token)],
    ]

    static let result: JSONValue = [
        "type": "cleanup.operation_result.v1",
        "id": "01a1fcfb-87fb-74ff-9c97-520b9604459e",
        "sent_at": "2026-11-21T07:21:45.214052Z",
        "payload": [
            "request_frame_id": "01a1fcfb-87f7-70e4-a2c7-f466a2db5dd6",
            "message_id": .string(messageID),
            "operation": "ack",
            "status": "accepted",
            "lease_expires_at": nil,
            "reason": nil,
            "detail": nil,
        ],
    ]

    static func snapshot(_ sequence: Int, reason: String = "work_pool_updated", paused: Bool = false) -> JSONValue {
        [
            "type": "work_pool.snapshot.v1", "id": "01a1fcdf-767e-7748-a111-982067321bab",
            "sent_at": "2026-11-21T06:51:07Z",
            "payload": [
                "snapshot_sequence": .int(sequence), "reason": .string(reason),
                "work_pool": pool.with(["is_paused"], .bool(paused)),
            ],
        ]
    }

    /// `worker.ready.v1` of a server that delivers cleanups. Its heartbeat interval is longer than a test.
    static func readyForCleanups(_ limit: Int = 4, consumerID: String = consumerID) -> JSONValue {
        ready.with(["payload", "consumer_id"], .string(consumerID))
            .with(
                ["payload", "accepted_capabilities"],
                ["worker_heartbeat.v1", "work_pool_snapshot.v1", "cleanup_delivery.v1"]
            )
            .with(["payload", "effective_max_cleanup_concurrency"], .int(limit))
            .with(["payload", "effective_heartbeat_interval_seconds"], 600)
    }
}

extension JSONValue {
    /// The value with another member at a path; with `nil`, without the member.
    func with(_ path: [String], _ value: JSONValue?) -> JSONValue {
        guard let key = path.first else { return value ?? .null }
        var copy = self
        copy[key] = path.count == 1 ? value : (self[key] ?? [:]).with(Array(path.dropFirst()), value)
        return copy
    }
}

extension WorkerChannel.Identity {
    /// The worker whose frames were recorded.
    static let recorded = WorkerChannel.Identity(
        workerName: "Rsch Worker 1", workerType: "process", heartbeatIntervalSeconds: 5, createsPool: true,
        defaultTemplate: ChannelFrames.template, consumerID: ChannelFrames.consumerID)

    /// The recorded worker, with a backend that can clean up.
    static var cleaning: WorkerChannel.Identity {
        var identity = recorded
        identity.handledCleanupKinds = [CleanupMessage.Kind.cancellingTimeout]
        identity.maxCleanupConcurrency = 1
        return identity
    }
}
