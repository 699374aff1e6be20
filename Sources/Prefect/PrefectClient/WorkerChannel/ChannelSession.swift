internal import PrefectJSON

/// One connection of the worker channel, from the upgrade to its end. It decides when to send which frame, and which
/// received frames to accept. A value without I/O.
struct ChannelSession: Sendable {
    enum Event: Sendable {
        /// The WebSocket is open.
        case opened(token: Secret?)
        case frame(String)
        case binaryFrame
        /// A heartbeat interval has passed since the last heartbeat, or since the channel became ready.
        case heartbeatDue
        /// An operation on a cleanup is to be sent.
        case cleanup(CleanupOperation)
        case closed(code: Int, reason: String)
        case refused(status: Int)
        /// The server does not support WebSocket, or does not accept the worker's subprotocol.
        case notUnderstood(detail: String)
        /// No connection could be opened. `apiAnswers` states whether the API answered requests after this attempt and
        /// after the previous one.
        case notConnected(detail: String, apiAnswers: Bool)
        case lost(detail: String)
        /// The time limit for connecting, and for the exchange up to `worker.ready.v1`, has passed.
        case setupTimedOut
    }

    enum Action: Sendable, Hashable {
        case send(OutgoingFrame)
        /// The channel is healthy.
        case established(workerID: String?)
        case applySnapshot(ChannelSnapshot)
        case startHeartbeats(intervalSeconds: Int)
        /// Cleanups may arrive from now on, at most `limit` at a time; a limit of 0 means none.
        case cleanupsAccepted(limit: Int)
        /// `leaseExpires` is by the clock of this machine.
        case deliverCleanup(CleanupMessage, leaseExpires: Timestamp)
        case concludeCleanup(CleanupResult, leaseExpires: Timestamp?)
        case end(ChannelOutage)
    }

    private enum Phase: Hashable {
        case connecting
        case authenticating
        case greeting
        case healthy(Healthy)
        case ended
    }

    private struct Healthy: Hashable {
        let heartbeatIntervalSeconds: Int
        let acceptsCleanup: Bool
        var lastSequence: Int
    }

    private let identity: WorkerChannel.Identity
    private let introducesItself: Bool
    private let hasBeenHealthy: Bool
    private var phase = Phase.connecting
    /// The upper bound, in seconds, for the lead of this machine's clock over the server's. Transport delays add to the
    /// measured values.
    private var clockOffset: Double?

    /// - Parameters:
    ///   - introducesItself: Whether the worker sends its metadata to the server; once is enough.
    ///   - hasBeenHealthy: Whether an earlier connection of this process was healthy.
    init(identity: WorkerChannel.Identity, introducesItself: Bool, hasBeenHealthy: Bool) {
        self.identity = identity
        self.introducesItself = introducesItself
        self.hasBeenHealthy = hasBeenHealthy
    }

    var isHealthy: Bool {
        if case .healthy = phase { true } else { false }
    }

    mutating func handle(_ event: Event, now: Timestamp = .now) -> [Action] {
        if phase == .ended { return [] }
        switch event {
        case .opened(let token):
            guard phase == .connecting else { return [] }
            phase = .authenticating
            return [.send(.auth(token: token?.reveal()))]
        case .frame(let text):
            do throws(ChannelOutage) {
                return try take(text, now: now)
            } catch {
                return end(error)
            }
        case .binaryFrame: return end(.violation("frame is not text"))
        case .heartbeatDue:
            guard case .healthy(let healthy) = phase else { return [] }
            let payload: JSONValue = [
                "consumer_id": .string(identity.consumerID), "worker_name": .string(identity.workerName),
                "heartbeat_interval_seconds": .int(healthy.heartbeatIntervalSeconds),
            ]
            return [.send(OutgoingFrame("worker.heartbeat.v1", id: UUIDv7.make(at: now), at: now, payload))]
        case .cleanup(let operation):
            guard case .healthy(let healthy) = phase, healthy.acceptsCleanup else { return [] }
            return [.send(operation.frame(at: now))]
        case .closed(let code, let reason): return end(.closed(code: code, reason: reason))
        case .refused(let status): return end(.refused(status: status))
        case .notUnderstood(let detail):
            return end(ChannelOutage(hasBeenHealthy ? .connectionLost : .endpointUnavailable, detail))
        case .notConnected(let detail, let apiAnswers):
            // While the API does not answer, its endpoints are unknown.
            let isMissing = apiAnswers && !hasBeenHealthy
            return end(ChannelOutage(isMissing ? .endpointUnavailable : .connectionLost, detail))
        case .lost(let detail): return end(ChannelOutage(.connectionLost, detail))
        case .setupTimedOut:
            if isHealthy { return [] }
            return end(ChannelOutage(.setupTimeout, "the worker channel was not ready in time"))
        }
    }

    private mutating func end(_ outage: ChannelOutage) -> [Action] {
        phase = .ended
        return [.end(outage)]
    }

    private mutating func take(_ text: String, now: Timestamp) throws(ChannelOutage) -> [Action] {
        switch phase {
        case .connecting, .ended: return []
        case .authenticating:
            try IncomingFrame.readAuthAnswer(text)
            phase = .greeting
            let payload = identity.hello(introducingItself: introducesItself)
            return [.send(OutgoingFrame("worker.hello.v1", id: UUIDv7.make(at: now), at: now, payload))]
        case .greeting:
            let received = try IncomingFrame.read(text)
            guard case .ready(let ready) = received.frame else {
                throw .violation("first frame is not worker.ready.v1")
            }
            noteClock(received, now: now)
            return try begin(ready)
        case .healthy(var healthy):
            let received = try IncomingFrame.read(text)
            noteClock(received, now: now)
            switch received.frame {
            case .ready: throw .violation("worker.ready.v1 arrived a second time")
            case .snapshot(let snapshot):
                guard snapshot.sequence > healthy.lastSequence else { return [] }
                healthy.lastSequence = snapshot.sequence
                phase = .healthy(healthy)
                return [.applySnapshot(snapshot)]
            case .cleanup(let message):
                guard healthy.acceptsCleanup else { throw .violation("cleanup was not requested") }
                return [.deliverCleanup(message, leaseExpires: localTime(message.leaseExpires))]
            case .result(let result):
                guard healthy.acceptsCleanup else { throw .violation("cleanup result was not requested") }
                return [.concludeCleanup(result, leaseExpires: result.leaseExpires.map(localTime))]
            }
        }
    }

    private mutating func begin(_ ready: ChannelReady) throws(ChannelOutage) -> [Action] {
        guard ready.consumerID == identity.consumerID.lowercased() else {
            throw .violation("worker.ready.v1 is for another worker")
        }
        guard !ready.acceptsCleanup || identity.wantsCleanups else {
            throw .violation("worker.ready.v1 accepts cleanups that were not requested")
        }
        phase = .healthy(
            Healthy(
                heartbeatIntervalSeconds: ready.heartbeatIntervalSeconds, acceptsCleanup: ready.acceptsCleanup,
                lastSequence: ready.snapshot.sequence))
        let limit = min(ready.maxCleanupConcurrency, identity.maxCleanupConcurrency)
        return [
            .applySnapshot(ready.snapshot), .established(workerID: ready.workerID),
            .cleanupsAccepted(limit: ready.acceptsCleanup ? limit : 0),
            .startHeartbeats(intervalSeconds: ready.heartbeatIntervalSeconds),
        ]
    }

    private mutating func noteClock(_ received: IncomingFrame.Received, now: Timestamp) {
        let seen = now.seconds(since: received.sentAt)
        clockOffset = min(clockOffset ?? seen, seen)
    }

    /// Converts a time of the server to the clock of this machine, so that a clock difference does not lengthen or
    /// shorten leases.
    private func localTime(_ time: Timestamp) -> Timestamp { time.adding(seconds: clockOffset ?? 0) }
}
