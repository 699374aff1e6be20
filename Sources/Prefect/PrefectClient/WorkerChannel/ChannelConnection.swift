internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectWebSocket
internal import Synchronization

/// One connection of a ``WorkerChannel``: runs the events and actions of a ``ChannelSession`` on a real WebSocket.
final class ChannelConnection: Sendable {
    private let channel: WorkerChannel
    private let session: Mutex<ChannelSession>
    private let healthy = Mutex(false)
    private let socket = Mutex<WebSocket?>(nil)
    private let apiHadAnswered: Bool
    private let answered = Mutex(false)

    /// `apiHadAnswered` states whether the API answered a request after the previous attempt failed to connect.
    init(_ channel: WorkerChannel, hasBeenHealthy: Bool, apiHadAnswered: Bool) {
        self.channel = channel
        self.apiHadAnswered = apiHadAnswered
        session = Mutex(
            ChannelSession(
                identity: channel.identity, introducesItself: !hasBeenHealthy, hasBeenHealthy: hasBeenHealthy))
    }

    /// Whether the handshake was completed.
    var wasHealthy: Bool { healthy.withLock { $0 } }

    /// Whether the API answered a request although no connection could be opened.
    var apiAnswered: Bool { answered.withLock { $0 } }

    /// Runs the connection to its end, and returns the reason for the end. The reason has no meaning when the task is
    /// cancelled.
    func run(onHealthy: @escaping @Sendable () async -> Void) async -> ChannelOutage {
        let deadline = ContinuousClock.now + channel.timing.setup
        let socket: WebSocket
        do {
            socket = try await channel.api.webSocket(
                ["work_pools", .name(channel.poolName), "workers", "connect"], subprotocol: ChannelProtocol.subprotocol,
                connectTimeout: channel.timing.setup)
        } catch {
            let event = ContinuousClock.now >= deadline ? .setupTimedOut : await event(for: error)
            return outage(in: session.withLock { $0.handle(event) }) ?? unexplained
        }
        self.socket.withLock { $0 = socket }
        let outage = await use(socket, until: deadline, onHealthy: onHealthy)
        channel.cleanups.disconnect()
        return outage
    }

    /// Closes the socket if it is still open, which can take seconds.
    func close(after outage: ChannelOutage) async {
        await socket.withLock { $0 }?.close(code: outage.reason == .protocolError ? .protocolError : .normal)
    }

    private func use(
        _ socket: WebSocket, until deadline: ContinuousClock.Instant, onHealthy: @escaping @Sendable () async -> Void
    ) async -> ChannelOutage {
        let (intervals, beat) = AsyncStream<Int>.makeStream()
        let link = Link(socket: socket, beat: beat, onHealthy: onHealthy)
        let outage = await firstResult(
            of: { await self.receive(link) },
            { await self.sendHeartbeats(intervals, link) },
            {
                try? await Task.sleep(until: deadline, clock: .continuous)
                return Task.isCancelled ? nil : await self.handle(.setupTimedOut, link)
            })
        return outage ?? unexplained
    }

    /// The objects that a connection's actions use.
    private struct Link: Sendable {
        let socket: WebSocket
        let beat: AsyncStream<Int>.Continuation
        let onHealthy: @Sendable () async -> Void
    }

    private func receive(_ link: Link) async -> ChannelOutage? {
        let token = channel.api.configuration.webSocketToken
        if let outage = await handle(.opened(token: token), link) { return outage }
        while !Task.isCancelled {
            let received: ChannelSession.Event
            do {
                switch try await link.socket.receive() {
                case .text(let text): received = .frame(text)
                case .binary: received = .binaryFrame
                }
            } catch {
                received = await event(for: error)
            }
            if let outage = await handle(received, link) { return outage }
        }
        return nil
    }

    private func sendHeartbeats(_ intervals: AsyncStream<Int>, _ link: Link) async -> ChannelOutage? {
        for await interval in intervals {
            while !Task.isCancelled {
                let part = 1 - channel.timing.heartbeatJitter * .random(in: 0..<1)
                try? await Task.sleep(for: .pause(seconds: Double(interval) * part))
                if Task.isCancelled { return nil }
                if let outage = await handle(.heartbeatDue, link) { return outage }
            }
        }
        return nil
    }

    private func handle(_ event: ChannelSession.Event, _ link: Link) async -> ChannelOutage? {
        let actions = session.withLock { $0.handle(event) }
        for action in actions {
            if Task.isCancelled { return nil }
            switch action {
            // A failed send is ignored here, because the receiving side also notices the failure.
            case .send(let frame): try? await link.socket.send(.text(frame.text))
            case .applySnapshot(let snapshot): await channel.handlers.onSnapshot(snapshot.pool, snapshot.reason)
            case .established(let workerID):
                healthy.withLock { $0 = true }
                if let workerID { await channel.handlers.onWorkerID(workerID) }
                await link.onHealthy()
            case .startHeartbeats(let interval): link.beat.yield(interval)
            case .cleanupsAccepted(let limit):
                channel.cleanups.connect(limit: limit) { operation in _ = await self.handle(.cleanup(operation), link) }
            case .deliverCleanup(let message, let expiry):
                channel.cleanups.handle(.message(message, leaseExpires: expiry))
            case .concludeCleanup(let result, let expiry):
                channel.cleanups.handle(.result(result, leaseExpires: expiry))
            case .end(let outage): return outage
            }
        }
        return nil
    }

    private func outage(in actions: [ChannelSession.Action]) -> ChannelOutage? {
        for case .end(let outage) in actions { return outage }
        return nil
    }

    private var unexplained: ChannelOutage { ChannelOutage(.connectionLost, "the worker channel ended") }

    private func event(for error: WebSocketError) async -> ChannelSession.Event {
        switch error.kind {
        case .closed(let code, let reason): .closed(code: Int(code.rawValue), reason: reason)
        case .violation(let code, _): .closed(code: Int(code.rawValue), reason: "")
        case .refused(let refusal): .refused(status: refusal.status)
        case .handshake: .notUnderstood(detail: error.description)
        case .notConnected: .notConnected(detail: error.description, apiAnswers: await apiAnswersAgain())
        case .lost, .invalidMessage, .cancelled, .shutDown: .lost(detail: error.description)
        }
    }

    /// Whether the API answers requests now, as it did after the previous attempt. A single answer could come from a
    /// server that was just starting.
    private func apiAnswersAgain() async -> Bool {
        let answers = await apiAnswers()
        answered.withLock { $0 = answers }
        return answers && apiHadAnswered
    }

    /// Whether the API answers a request, with any status.
    private func apiAnswers() async -> Bool {
        do {
            _ = try await channel.api.send(APIRequest(.get, ["health"]), effort: .once)
            return true
        } catch let error as APIError {
            return error.status != nil
        } catch {
            return false
        }
    }
}
