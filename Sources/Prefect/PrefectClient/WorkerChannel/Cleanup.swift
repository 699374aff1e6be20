package import PrefectJSON

/// A request to remove the remaining infrastructure of a run that has ended for the API. The worker holds the message
/// for the duration of a lease. When the lease ends without an acknowledgement, the server delivers the message again,
/// to this worker or another. The server delivers a message at most three times in all. Mirrors `cleanup.message.v1`.
package struct CleanupMessage: Sendable, Hashable, JSONDecodable {
    /// The kinds of cleanups: the event that made the cleanup necessary.
    package enum Kind {
        /// Cancelling the run took too long, and the server has set the run to cancelled.
        package static let cancellingTimeout = "cancelling_timeout_teardown.v1"
        /// A worker claimed the run, but the run never began.
        package static let pendingClaim = "pending_claim_teardown.v1"
    }

    /// The message's id, the same at each delivery.
    package let id: String
    /// One of ``Kind``, or a kind that the worker has not requested.
    package let kind: String
    /// The number of this delivery, counted from 1.
    package let deliveryCount: Int
    /// The id of the run's queue.
    package let workQueueID: String?
    /// The id of the run.
    package let flowRunID: String
    /// The identifier of the run's infrastructure, if the server has one.
    package let infrastructurePID: String?
    /// The id of the claim, for ``Kind/pendingClaim``.
    package let claimID: String?
    /// The id of the execution, for ``Kind/pendingClaim``.
    package let executionID: String?
    /// Further data of the message.
    package let data: JSONValue

    /// The token that shows that this worker holds the message.
    let reservation: Secret
    /// The end of the lease, by the server's clock.
    let leaseExpires: Timestamp

    package init(json fields: JSONFields) throws(JSONDecodingError) {
        id = try fields.uuid("message_id")
        kind = try fields.string("kind")
        let token = try fields.string("reservation_token")
        guard !token.isEmpty else { throw fields.error("reservation_token", "is empty") }
        reservation = Secret(token)
        leaseExpires = try fields.timestamp("lease_expires_at")
        deliveryCount = try fields.integer("delivery_count", atLeast: 1)
        workQueueID = try fields.uuidIfPresent("work_queue_id")
        data = fields.value("data") ?? [:]
        guard data.objectValue != nil else { throw fields.error("data", "should be an object") }
        let target = try JSONFields(fields.value("target") ?? .null, path: fields.path(of: "target"))
        if kind == Kind.cancellingTimeout || kind == Kind.pendingClaim {
            flowRunID = try target.uuid("flow_run_id")
            infrastructurePID = try target.stringIfPresent("infrastructure_pid")
            claimID = kind == Kind.pendingClaim ? try target.uuid("claim_id") : nil
            executionID = try target.uuidIfPresent("execution_id")
        } else {
            // The format of other kinds is unknown; the worker releases such a message.
            flowRunID = target.optionalString("flow_run_id") ?? ""
            infrastructurePID = target.optionalString("infrastructure_pid")
            claimID = nil
            executionID = nil
        }
    }
}

/// The result of a cleanup.
package enum CleanupVerdict: Sendable, Hashable {
    /// There is nothing more to remove.
    case done
    /// The worker cannot remove the infrastructure. The reason is one of ``Reason``, or a name of the same form.
    /// Another worker may try.
    case release(reason: String)

    /// The reasons that the API's own workers use.
    package enum Reason {
        package static let missingHandle = "missing_infrastructure_handle"
        package static let contextUnavailable = "configuration_context_unavailable"
        package static let unsupportedWorkerType = "unsupported_worker_type"
        package static let infrastructureNotAvailable = "infrastructure_not_available"
        static let unsupportedKind = "unsupported_cleanup_kind"
        static let noCapacity = "concurrency_limit_reached"
        static let unavailable = "cleanup_delivery_unavailable"
        static let handlerFailed = "handler_failed"
    }
}

/// The server's answer to an operation on a cleanup. Mirrors `cleanup.operation_result.v1`.
struct CleanupResult: Sendable, Hashable, JSONDecodable {
    let frameID: String
    let operation: String
    let status: String
    let leaseExpires: Timestamp?

    private static let operations = ["ack", "release", "renew"]
    private static let statuses = [
        "accepted", "not_current", "not_found", "expired", "invalid_token", "unauthorized", "dead_lettered", "error",
    ]

    init(json fields: JSONFields) throws(JSONDecodingError) {
        frameID = try fields.uuid("request_frame_id")
        _ = try fields.uuid("message_id")
        operation = try fields.string("operation")
        guard Self.operations.contains(operation) else { throw fields.error("operation", "is unknown") }
        status = try fields.string("status")
        guard Self.statuses.contains(status) else { throw fields.error("status", "is unknown") }
        leaseExpires = fields.value("lease_expires_at") == nil ? nil : try fields.timestamp("lease_expires_at")
        let reason = try fields.stringIfPresent("reason") ?? ""
        guard status == "accepted" || !reason.isEmpty else { throw fields.error("reason", "is missing") }
        guard (leaseExpires != nil) == (status == "accepted" && operation == "renew") else {
            throw fields.error("lease_expires_at", "does not match operation and status")
        }
    }
}

/// An operation on a cleanup, to be sent to the server.
struct CleanupOperation: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case ack
        case renew
        case release(reason: String)
    }

    let kind: Kind
    let messageID: String
    let reservation: Secret
    /// The frame's id, a new one for each attempt.
    let frameID: String

    func frame(at now: Timestamp) -> OutgoingFrame {
        var payload: JSONValue = [
            "message_id": .string(messageID), "reservation_token": .string(reservation.reveal()),
        ]
        let type: String
        switch kind {
        case .ack: type = "cleanup.ack.v1"
        case .renew: type = "cleanup.renew.v1"
        case .release(let reason):
            type = "cleanup.release.v1"
            payload["reason"] = .string(reason)
        }
        return OutgoingFrame(type, id: frameID, at: now, payload)
    }
}
