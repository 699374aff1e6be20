import OrderedCollections
import PrefectJSON
import Testing

@testable import PrefectClient

@Suite("One connection of the worker channel")
struct ChannelSessionTests {
    private let start = Timestamp("2026-11-21T06:51:05Z") ?? .now

    private func session(
        _ identity: WorkerChannel.Identity = .recorded, introducesItself: Bool = true, hasBeenHealthy: Bool = false
    ) -> ChannelSession {
        ChannelSession(identity: identity, introducesItself: introducesItself, hasBeenHealthy: hasBeenHealthy)
    }

    private func healthy(_ identity: WorkerChannel.Identity = .recorded, ready: JSONValue = ChannelFrames.ready)
        -> ChannelSession
    {
        var session = session(identity)
        _ = session.handle(.opened(token: nil), now: start)
        _ = session.handle(.frame(ChannelFrames.authSuccess.serialized()), now: start)
        _ = session.handle(.frame(ready.serialized()), now: start)
        #expect(session.isHealthy)
        return session
    }

    private func outage(_ actions: [ChannelSession.Action]) -> ChannelOutage? {
        guard actions.count == 1, case .end(let outage) = actions[0] else { return nil }
        return outage
    }

    private func sent(_ actions: [ChannelSession.Action]) -> [JSONValue] {
        actions.compactMap { if case .send(let frame) = $0 { frame.json } else { nil } }
    }

    @Test("a session reproduces the recorded auth, hello, ready, snapshot and heartbeat")
    func recorded() throws {
        var session = session()
        let auth = session.handle(.opened(token: nil), now: start)
        #expect(auth == [.send(OutgoingFrame(json: ["type": "auth", "token": nil]))])

        let hello = try #require(sent(session.handle(.frame(#"{"type":"auth_success"}"#), now: start)).first)
        #expect(hello["payload"] == ChannelFrames.hello["payload"])
        #expect(hello["type"] == "worker.hello.v1" && hello["sent_at"] == "2026-11-21T06:51:05Z")
        #expect(Array(hello.objectValue?.keys ?? []) == ["type", "id", "sent_at", "payload"])
        #expect(hello["id"]?.stringValue?.dropFirst(14).first == "7")
        #expect(!session.isHealthy)

        let ready = session.handle(.frame(ChannelFrames.ready.serialized()), now: start)
        guard case .applySnapshot(let snapshot) = ready.first else {
            Issue.record("no snapshot")
            return
        }
        #expect(snapshot.sequence == 1 && snapshot.reason == .initial && snapshot.pool.name == "rsch-process")
        #expect(.object(snapshot.pool.baseJobTemplate) == ChannelFrames.template)
        #expect(
            Array(ready.dropFirst()) == [
                .established(workerID: nil), .cleanupsAccepted(limit: 0), .startHeartbeats(intervalSeconds: 5),
            ])
        #expect(session.isHealthy)

        let beat = try #require(sent(session.handle(.heartbeatDue, now: start)).first)
        #expect(beat["type"] == "worker.heartbeat.v1" && beat["payload"] == ChannelFrames.heartbeat["payload"])
    }

    @Test("the token is sent with the first frame")
    func token() {
        var session = session()
        let actions = session.handle(.opened(token: Secret("admin:pass")), now: start)
        #expect(actions == [.send(.auth(token: "admin:pass"))])
    }

    @Test("a later hello has no worker metadata and lists the queues in order")
    func hello() throws {
        var identity = WorkerChannel.Identity.cleaning
        identity.workQueueNames = ["b", "a"]
        var session = session(identity, introducesItself: false)
        _ = session.handle(.opened(token: nil), now: start)
        let hello = sent(session.handle(.frame(ChannelFrames.authSuccess.serialized()), now: start))
        let payload = try #require(hello.first?["payload"])
        #expect(payload["worker_metadata"] == JSONValue.null)
        #expect(payload["work_queue_names"] == ["a", "b"])
        #expect(
            payload["requested_capabilities"] == [
                "worker_heartbeat.v1", "work_pool_snapshot.v1", "cleanup_delivery.v1",
            ])
        #expect(payload["handled_cleanup_kinds"] == ["cancelling_timeout_teardown.v1"])
        #expect(payload["max_cleanup_concurrency"] == 1)
    }

    @Test("a template that cannot create a pool is not offered")
    func uselessTemplate() {
        let identity = WorkerChannel.Identity(
            workerName: "w", workerType: "process", heartbeatIntervalSeconds: 0, createsPool: true,
            defaultTemplate: ["variables": [:]])
        let payload = identity.hello(introducingItself: true)
        #expect(payload["create_pool_if_not_found"] == false && payload["default_base_job_template"] == [:])
        #expect(payload["heartbeat_interval_seconds"] == 1)
        #expect(payload["consumer_id"]?.stringValue == WorkerChannel.Identity.processConsumerID)
    }

    @Test("refused credentials are a lasting outage, with the server's reason if it is known")
    func authentication() {
        for (answer, reason) in [
            (#"{"type":"auth_failure","reason":"authentication_failed"}"#, ChannelOutage.Reason.authenticationFailed),
            (#"{"type":"auth_failure"}"#, .protocolError), (#"{"type":"auth_failure","reason":"x"}"#, .protocolError),
            ("[]", .protocolError), ("nonsense", .protocolError),
        ] {
            var session = session()
            _ = session.handle(.opened(token: nil), now: start)
            let outage = outage(session.handle(.frame(answer), now: start))
            #expect(outage?.reason == reason && outage?.prospect == .lasting)
        }
    }

    @Test("members that a newer server adds are ignored")
    func newerServer() {
        var ready = ChannelFrames.ready.with(["new"], 1).with(["payload", "new"], 1)
        ready = ready.with(["payload", "initial_snapshot", "new"], 1)
            .with(["payload", "initial_snapshot", "work_pool", "new"], 1)
            .with(["payload", "rejected_capabilities"], ["something.v9"])
        var session = healthy(ready: ready)
        let snapshot = ChannelFrames.snapshot(2, reason: "a_new_reason")
        #expect(session.handle(.frame(snapshot.serialized()), now: start).count == 1)
    }

    private static let brokenReadies: [([String], JSONValue?)] = [
        (["payload"], nil), (["id"], "7"), (["sent_at"], "yesterday"), (["type"], "worker.ready.v2"),
        (["type"], "work_pool.snapshot.v1"),
        (["payload", "consumer_id"], "01a1fcdf-7600-7ff8-b786-fadedde27991"), (["payload", "worker_id"], "7"),
        (["payload", "selected_channel_version"], "work_pool_worker_channel.v2"),
        (["payload", "effective_heartbeat_interval_seconds"], 0),
        (["payload", "effective_heartbeat_interval_seconds"], 30.5),
        (["payload", "accepted_capabilities"], ["worker_heartbeat.v1"]),
        (["payload", "accepted_capabilities"], ["worker_heartbeat.v1", "work_pool_snapshot.v1", 1]),
        (["payload", "rejected_capabilities"], ["worker_heartbeat.v1"]),
        (["payload", "effective_max_cleanup_concurrency"], 1),
        (
            ["payload", "accepted_capabilities"],
            ["worker_heartbeat.v1", "work_pool_snapshot.v1", "cleanup_delivery.v1"]
        ),
        (["payload", "initial_snapshot", "snapshot_sequence"], 2),
        (["payload", "initial_snapshot", "reason"], "work_pool_updated"),
        (["payload", "initial_snapshot", "work_pool", "base_job_template"], nil),
        (["payload", "initial_snapshot", "work_pool", "is_paused"], nil),
        (["payload", "initial_snapshot", "work_pool", "id"], "x"),
        (["payload", "initial_snapshot", "work_pool", "name"], nil),
    ]

    @Test("a worker.ready.v1 that breaks a rule is a protocol error", arguments: 0..<brokenReadies.count)
    func brokenReady(_ index: Int) {
        let (path, value) = Self.brokenReadies[index]
        var session = session()
        _ = session.handle(.opened(token: nil), now: start)
        _ = session.handle(.frame(ChannelFrames.authSuccess.serialized()), now: start)
        let outage = outage(
            session.handle(.frame(ChannelFrames.ready.with(path, value).serialized()), now: start))
        #expect(outage?.reason == .protocolError, "\(path)")
        #expect(session.handle(.frame(ChannelFrames.ready.serialized()), now: start) == [])
    }

    @Test("cleanups that were not requested are a protocol error")
    func unaskedCleanup() {
        var early = session()
        _ = early.handle(.opened(token: nil), now: start)
        _ = early.handle(.frame(ChannelFrames.authSuccess.serialized()), now: start)
        let ready = ChannelFrames.readyForCleanups().serialized()
        #expect(outage(early.handle(.frame(ready), now: start))?.reason == .protocolError)
        for frame in [ChannelFrames.cleanup, ChannelFrames.result] {
            var session = healthy()
            #expect(outage(session.handle(.frame(frame.serialized()), now: start))?.reason == .protocolError)
        }
    }

    @Test("a second ready, an unknown type and a binary frame are protocol errors")
    func unexpected() {
        let unknown = ChannelFrames.snapshot(2).with(["type"], "worker.dance.v1")
        for frame in [ChannelFrames.ready, ChannelFrames.authSuccess, unknown, .null] {
            var session = healthy()
            #expect(outage(session.handle(.frame(frame.serialized()), now: start))?.prospect == .lasting)
        }
        var session = healthy()
        #expect(outage(session.handle(.binaryFrame, now: start))?.reason == .protocolError)
    }

    @Test("a snapshot that is not newer than the last one is ignored")
    func sequence() {
        var session = healthy()
        func isApplied(_ sequence: Int) -> Bool {
            !session.handle(.frame(ChannelFrames.snapshot(sequence).serialized()), now: start).isEmpty
        }
        #expect(!isApplied(1) && isApplied(3) && !isApplied(2) && !isApplied(3) && isApplied(4))
        let broken = ChannelFrames.snapshot(0).serialized()
        #expect(outage(session.handle(.frame(broken), now: start))?.reason == .protocolError)
    }

    @Test("the server's heartbeat interval is used, and its worker id is reported")
    func effectiveValues() throws {
        let id = "01a1fcdf-7600-7ff8-b786-00000000000a"
        let ready = ChannelFrames.ready.with(["payload", "worker_id"], .string(id.uppercased()))
            .with(["payload", "effective_heartbeat_interval_seconds"], 12.0)
        var session = session()
        _ = session.handle(.opened(token: nil), now: start)
        _ = session.handle(.frame(ChannelFrames.authSuccess.serialized()), now: start)
        let actions = session.handle(.frame(ready.serialized()), now: start)
        #expect(actions.contains(.established(workerID: id)) && actions.contains(.startHeartbeats(intervalSeconds: 12)))
        let beat = sent(session.handle(.heartbeatDue, now: start)).first
        #expect(beat?["payload"]?["heartbeat_interval_seconds"] == 12)
    }

    @Test("cleanups are received and operations are sent as in the recording")
    func cleanups() throws {
        var session = healthy(.cleaning, ready: ChannelFrames.readyForCleanups())
        let now = Timestamp("2026-11-21T07:21:45.120000Z") ?? .now
        let actions = session.handle(.frame(ChannelFrames.cleanup.serialized()), now: now)
        guard case .deliverCleanup(let message, _)? = actions.first else {
            Issue.record("no cleanup")
            return
        }
        #expect(message.id == ChannelFrames.messageID && message.kind == CleanupMessage.Kind.cancellingTimeout)
        #expect(message.flowRunID == "a22c0e26-e02b-49a1-9e39-d04d3aae4e7c" && message.deliveryCount == 1)
        #expect(message.infrastructurePID == "default:run-ok-tjbgf")
        #expect(!"\(message)".contains(ChannelFrames.token))

        let operation = CleanupOperation(
            kind: .ack, messageID: message.id, reservation: message.reservation,
            frameID: "01a1fcfb-87f7-70e4-a2c7-f466a2db5dd6")
        let sentAt = Timestamp("2026-11-21T07:21:45.207593Z") ?? .now
        #expect(sent(session.handle(.cleanup(operation), now: sentAt)) == [ChannelFrames.ack])

        guard
            case .concludeCleanup(let result, nil)? = session.handle(
                .frame(ChannelFrames.result.serialized()), now: now
            ).first
        else {
            Issue.record("no result")
            return
        }
        #expect(result.frameID == operation.frameID && result.status == "accepted")
    }

    @Test("a lease ends at the server's time, independent of the local clock")
    func skew() {
        // The server's clock is an hour ahead of the local clock.
        var session = session(.cleaning)
        let hour = 3600.0
        _ = session.handle(.opened(token: nil), now: start)
        _ = session.handle(.frame(ChannelFrames.authSuccess.serialized()), now: start)
        let sentReady = Timestamp("2026-11-21T06:51:05.726165Z") ?? .now
        _ = session.handle(
            .frame(ChannelFrames.readyForCleanups().serialized()), now: sentReady.adding(seconds: -hour + 0.01))
        // The frame is delayed by 60 seconds, which must not lengthen the lease.
        let sentCleanup = Timestamp("2026-11-21T07:21:45.110338Z") ?? .now
        let actions = session.handle(
            .frame(ChannelFrames.cleanup.serialized()), now: sentCleanup.adding(seconds: 60 - hour))
        guard case .deliverCleanup(let message, let expiry)? = actions.first else {
            Issue.record("no cleanup")
            return
        }
        #expect(abs(expiry.seconds(since: message.leaseExpires) + hour) < 0.02)
    }

    private static let brokenResults: [([String], JSONValue?)] = [
        (["payload", "status"], "whatever"), (["payload", "operation"], "burn"),
        (["payload", "status"], "expired"), (["payload", "operation"], "renew"),
        (["payload", "lease_expires_at"], "2026-11-21T07:21:45Z"), (["payload", "request_frame_id"], nil),
    ]
    private static let brokenCleanups: [([String], JSONValue?)] = [
        (["payload", "reservation_token"], ""), (["payload", "message_id"], "x"), (["payload", "delivery_count"], 0),
        (["payload", "lease_expires_at"], nil), (["payload", "target", "flow_run_id"], nil),
        (["payload", "kind"], "pending_claim_teardown.v1"), (["payload", "target"], nil), (["payload", "data"], []),
    ]

    @Test("cleanup frames that break a rule are protocol errors")
    func brokenCleanup() {
        let broken =
            Self.brokenResults.map { ChannelFrames.result.with($0, $1) }
            + Self.brokenCleanups.map { ChannelFrames.cleanup.with($0, $1) }
        for frame in broken {
            var session = healthy(.cleaning, ready: ChannelFrames.readyForCleanups())
            let outage = outage(session.handle(.frame(frame.serialized()), now: start))
            #expect(outage?.reason == .protocolError, "\(frame)")
        }
        var session = healthy(.cleaning, ready: ChannelFrames.readyForCleanups())
        let unknown = ChannelFrames.cleanup.with(["payload", "kind"], "new.v1").with(["payload", "target"], ["a": 1])
        #expect(outage(session.handle(.frame(unknown.serialized()), now: start)) == nil)
    }

    @Test("the setup deadline ends only a session that is not ready")
    func deadline() {
        var slow = session()
        _ = slow.handle(.opened(token: nil), now: start)
        let outage = outage(slow.handle(.setupTimedOut, now: start))
        #expect(outage?.reason == .setupTimeout && outage?.prospect == .passing)
        var session = healthy()
        #expect(session.handle(.setupTimedOut, now: start) == [])
    }
}
