internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectWebSocket
internal import Synchronization

/// Receives selected events from the API as they happen, over its WebSocket `/events/out`.
///
/// Events are hints: some are lost without a trace. Events are lost while the subscription is not ``isLive``. They are
/// also lost when they arrive faster than the caller handles them, because the server keeps 256 for each socket. A
/// caller that must miss nothing also reads the state over REST: each time the subscription becomes live, and at
/// intervals. The event of a new run may arrive before the answer to the request that created the run.
package final class EventSubscription: Sendable {
    /// The state of a subscription, with the reason why it is not live in one line.
    package typealias State = SocketState<String>

    /// Time limits and pauses.
    struct Timing: Sendable {
        /// The limit from connecting until events may arrive.
        var opening = Duration.seconds(10)
        /// The time from the server's reading of the filter until no further events are missed.
        var settling = Duration.seconds(1)
        /// The pauses before a failed socket is opened again.
        var reconnecting = ReconnectPolicy()
    }

    private let api: APIClient
    private let selection: EventSelection
    private let timing: Timing
    private let keeper: SocketKeeper<EventSocketError>
    private let onConnect: @Sendable () async -> Void

    /// Creates a subscription; ``run(_:)`` does the work.
    ///
    /// - Parameters:
    ///   - selection: The events to receive.
    ///   - onState: Called with the new state, each time the state changes.
    ///   - onConnect: Called each time the subscription has become live, the first time included, to read the changes
    ///     whose events were missed. It runs beside the handling of events. Its task is cancelled when the socket is
    ///     lost.
    package convenience init(
        api: APIClient, selection: EventSelection, onState: @escaping @Sendable (State) -> Void = { _ in },
        onConnect: @escaping @Sendable () async -> Void = {}
    ) {
        self.init(api: api, selection: selection, timing: Timing(), onState: onState, onConnect: onConnect)
    }

    init(
        api: APIClient, selection: EventSelection, timing: Timing, onState: @escaping @Sendable (State) -> Void,
        onConnect: @escaping @Sendable () async -> Void
    ) {
        self.api = api
        self.selection = selection
        self.timing = timing
        self.onConnect = onConnect
        keeper = SocketKeeper(policy: timing.reconnecting) { onState($0.map(\.description)) }
        keeper.want()
    }

    /// The current state.
    package var state: State { keeper.state.map(\.description) }

    /// Whether events arrive as they happen.
    package var isLive: Bool { state == .live }

    /// Ends the pause of a waiting subscription, for example after the credentials were changed.
    package func retryNow() { keeper.retryNow() }

    /// Passes events to `onEvent`, one after the other, until the task is cancelled. A lost socket is opened again
    /// after a pause of one second, which grows to 15 seconds.
    ///
    /// - Parameter onEvent: Called with the events in order. The next event waits until the call returns.
    package func run(_ onEvent: @Sendable (ReceivedEvent) async -> Void) async {
        await keeper.run(api.reachability) { await serve(onEvent) }
    }

    /// Serves one socket from its opening to its end. Returns the reason for the end.
    private func serve(_ onEvent: @Sendable (ReceivedEvent) async -> Void) async -> EventSocketError {
        do {
            let message = selection.message(now: .now)
            let socket = try await api.eventSocket(.fromAPI(filter: message), deadline: timing.opening)
            let start = ContinuousClock.now
            await keeper.opened()
            let error = await receive(from: socket, onEvent)
            keeper.lost(after: .now - start)
            return EventSocketError(error)
        } catch {
            return EventSocketError.wrapping(error)
        }
    }

    private func receive(
        from socket: WebSocket, _ onEvent: @Sendable (ReceivedEvent) async -> Void
    ) async -> WebSocketError {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [settling = timing.settling, onConnect] in
                // The server does not report when it has begun to listen for this subscription.
                try? await Task.sleep(for: settling)
                if !Task.isCancelled { await onConnect() }
            }
            defer { group.cancelAll() }
            do throws(WebSocketError) {
                while true {
                    if let event = read(try await socket.receive()), selection.includes(event) { await onEvent(event) }
                }
            } catch {
                if Task.isCancelled { await socket.close() }
                return error
            }
        }
    }

    /// The event in a message; `nil` for any other message.
    private func read(_ message: WebSocket.Message) -> ReceivedEvent? {
        guard case .text(let text) = message, let json = try? JSONValue(parsing: Array(text.utf8)),
            json["type"] == "event", let event = json["event"]
        else { return nil }
        return try? ReceivedEvent(hint: event)
    }
}
