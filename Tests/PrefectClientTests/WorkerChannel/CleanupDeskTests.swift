import OrderedCollections
import PrefectJSON
import Testing

@testable import PrefectClient

@Suite("Cleanups from their delivery to their result")
struct CleanupDeskTests {
    private let start = Timestamp("2026-11-21T07:21:45Z") ?? .now

    private func at(_ seconds: Double) -> Timestamp { start.adding(seconds: seconds) }

    private func desk(limit: Int = 1) -> CleanupLeases {
        var desk = CleanupLeases(kinds: [CleanupMessage.Kind.cancellingTimeout])
        _ = desk.handle(.connected(limit: limit), now: start)
        return desk
    }

    private func message(_ token: String = "t", kind: String = CleanupMessage.Kind.cancellingTimeout) throws
        -> CleanupMessage
    {
        let payload = ChannelFrames.cleanup.with(["payload", "reservation_token"], .string(token))
            .with(["payload", "kind"], .string(kind))["payload"]
        return try CleanupMessage(json: JSONFields(payload ?? .null))
    }

    private func result(_ operation: CleanupOperation, _ status: String, lease: Timestamp? = nil) throws
        -> CleanupLeases.Event
    {
        let name =
            switch operation.kind {
            case .ack: "ack"
            case .renew: "renew"
            case .release: "release"
            }
        let payload: JSONValue = [
            "request_frame_id": .string(operation.frameID), "message_id": .string(operation.messageID),
            "operation": .string(name), "status": .string(status), "lease_expires_at": JSONValue(lease?.apiFormat),
            "reason": status == "accepted" ? .null : "because",
        ]
        return .result(try CleanupResult(json: JSONFields(payload)), leaseExpires: lease)
    }

    private func operation(_ actions: [CleanupLeases.Action]) -> CleanupOperation? {
        guard actions.count == 1, case .send(let operation) = actions[0] else { return nil }
        return operation
    }

    /// A desk with one cleanup in progress, whose lease ends after 30 seconds.
    private func working(limit: Int = 1) throws -> CleanupLeases {
        var desk = desk(limit: limit)
        let message = try message()
        #expect(desk.handle(.message(message, leaseExpires: at(30)), now: start) == [.start(message)])
        return desk
    }

    private func finished(_ verdict: CleanupVerdict = .done) -> CleanupLeases.Event {
        .handled(reservation: Secret("t"), verdict)
    }

    @Test("a finished cleanup is acknowledged once")
    func acknowledged() throws {
        var desk = try working()
        #expect(desk.handle(.message(try message(), leaseExpires: at(30)), now: at(1)) == [])
        let ack = try #require(operation(desk.handle(finished(), now: at(2))))
        #expect(ack.kind == .ack && ack.messageID == ChannelFrames.messageID)
        #expect(desk.handle(finished(), now: at(2)) == [])
        #expect(desk.handle(try result(ack, "accepted"), now: at(3)) == [])
        #expect(desk.deadline == nil && desk.handlerCount == 0)
    }

    @Test("a cleanup that cannot be done is released with the reason")
    func released() throws {
        var desk = try working()
        let release = operation(desk.handle(finished(.release(reason: "why")), now: at(2)))
        #expect(release?.kind == .release(reason: "why"))
    }

    @Test("cleanups of unknown kinds or above the limit are released, and expired cleanups are ignored")
    func refused() throws {
        var desk = try working()
        let second = desk.handle(.message(try message("u"), leaseExpires: at(30)), now: start)
        #expect(operation(second)?.kind == .release(reason: "concurrency_limit_reached"))
        let unknown = desk.handle(.message(try message("v", kind: "x.v1"), leaseExpires: at(30)), now: start)
        #expect(operation(unknown)?.kind == .release(reason: "unsupported_cleanup_kind"))
        #expect(desk.handle(.message(try message("w"), leaseExpires: start), now: start) == [])
        var wide = try working(limit: 2)
        let other = try message("u")
        #expect(wide.handle(.message(other, leaseExpires: at(30)), now: start) == [.start(other)])
        var late = CleanupLeases(kinds: [CleanupMessage.Kind.cancellingTimeout])
        #expect(late.handle(.message(other, leaseExpires: at(30)), now: start) == [])
        let told = operation(late.handle(.connected(limit: 1), now: at(1)))
        #expect(told?.kind == .release(reason: "cleanup_delivery_unavailable"))
    }

    @Test("a lease is renewed five seconds before each of its ends")
    func renewed() throws {
        var desk = try working()
        #expect(desk.deadline == at(25))
        #expect(desk.handle(.tick, now: at(24)) == [])
        let first = try #require(operation(desk.handle(.tick, now: at(25))))
        #expect(first.kind == .renew)
        #expect(desk.handle(.tick, now: at(26)) == [])
        #expect(desk.handle(try result(first, "accepted", lease: at(55)), now: at(26)) == [])
        #expect(desk.deadline == at(50))
        let second = try #require(operation(desk.handle(.tick, now: at(50))))
        #expect(second.kind == .renew && second.frameID != first.frameID)
    }

    @Test(
        "a refused renewal cancels the handler, and no further operation is sent for its cleanup",
        arguments: ["not_current", "not_found", "expired", "invalid_token", "unauthorized", "dead_lettered"])
    func renewalRefused(status: String) throws {
        var desk = try working()
        let renewal = try #require(operation(desk.handle(.tick, now: at(25))))
        #expect(desk.handle(try result(renewal, status), now: at(26)) == [.cancel(reservation: Secret("t"))])
        // A cancelled handler counts until it ends.
        #expect(desk.handlerCount == 1)
        #expect(desk.handle(finished(), now: at(27)) == [])
        #expect(desk.handlerCount == 0 && desk.deadline == nil)
    }

    @Test("a failed renewal is tried three times, and the end of the lease cancels the handler")
    func renewalFails() throws {
        var desk = try working()
        for second in [25.0, 26, 27] {
            let renewal = try #require(operation(desk.handle(.tick, now: at(second))))
            #expect(renewal.kind == .renew)
            #expect(desk.handle(try result(renewal, "error"), now: at(second)) == [])
        }
        #expect(desk.handle(.tick, now: at(28)) == [] && desk.deadline == at(30))
        #expect(desk.handle(.tick, now: at(30)) == [.cancel(reservation: Secret("t"))])
    }

    @Test("an acknowledgement without a result is sent three times, each time with a new frame id")
    func noResult() throws {
        var desk = try working()
        var ids = [try #require(operation(desk.handle(finished(), now: at(0)))).frameID]
        #expect(desk.deadline == at(30))
        for second in [30.0, 61] {
            #expect(desk.handle(.tick, now: at(second)) == [])
            #expect(desk.deadline == at(second + 1))
            ids.append(try #require(operation(desk.handle(.tick, now: at(second + 1)))).frameID)
        }
        #expect(Set(ids).count == 3)
        #expect(desk.handle(.tick, now: at(92)) == [] && desk.deadline == nil)
    }

    @Test("any result other than an error ends an acknowledgement", arguments: ["not_found", "expired"])
    func otherResults(status: String) throws {
        var desk = try working()
        let ack = try #require(operation(desk.handle(finished(), now: at(1))))
        #expect(desk.handle(try result(ack, status), now: at(2)) == [] && desk.deadline == nil)
    }

    @Test("operations wait for a connection that accepts cleanups, and survive a lost connection")
    func reconnect() throws {
        var desk = try working()
        #expect(desk.handle(.disconnected, now: at(1)) == [])
        #expect(desk.handle(finished(), now: at(2)) == [])
        let first = try #require(operation(desk.handle(.connected(limit: 1), now: at(3))))
        #expect(first.kind == .ack)
        #expect(desk.handle(.disconnected, now: at(4)) == [])
        let second = try #require(operation(desk.handle(.connected(limit: 1), now: at(5))))
        #expect(second.kind == .ack && second.frameID != first.frameID)
        // A late result matches no operation.
        #expect(desk.handle(try result(first, "accepted"), now: at(6)) == [] && desk.deadline != nil)
    }

    @Test("a waiting operation is dropped when its lease ends, because the cleanup is delivered again")
    func droppedAtLeaseEnd() throws {
        var desk = try working()
        _ = desk.handle(.disconnected, now: at(1))
        _ = desk.handle(finished(), now: at(2))
        #expect(desk.deadline == at(30))
        #expect(desk.handle(.tick, now: at(30)) == [] && desk.deadline == nil)
        #expect(desk.handle(.connected(limit: 1), now: at(31)) == [])
    }

    @Test("a connection that accepts no cleanups cancels the running handlers")
    func notAccepted() throws {
        var desk = try working()
        _ = desk.handle(.disconnected, now: at(1))
        #expect(desk.handle(.connected(limit: 0), now: at(2)) == [.cancel(reservation: Secret("t"))])
        #expect(desk.handle(finished(), now: at(3)) == [] && desk.handlerCount == 0)
    }
}
