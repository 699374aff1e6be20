internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectWebSocket

/// The direction of the events on a socket.
enum EventDirection: Sendable, Hashable {
    /// To the API: `/events/in`.
    case toAPI
    /// From the API: `/events/out`. The API sends only the events that match the filter.
    case fromAPI(filter: JSONValue)

    fileprivate var path: [APIPathPart] {
        switch self {
        case .toAPI: ["events", "in"]
        case .fromAPI: ["events", "out"]
        }
    }

    fileprivate var filter: JSONValue? {
        if case .fromAPI(let filter) = self { filter } else { nil }
    }
}

/// The reason why an event socket could not be opened, or was lost.
struct EventSocketError: Error, SocketOutage, CustomStringConvertible {
    let prospect: SocketProspect
    /// One line with the failure, its cause and, where known, the remedy.
    let description: String

    init(_ prospect: SocketProspect, _ description: String) {
        self.prospect = prospect
        self.description = description
    }

    init(_ error: WebSocketError) {
        switch error.kind {
        case .refused(let refusal) where refusal.status == 401:
            self.init(.lasting, Self.explaining(error.description))
        case .refused(let refusal) where [403, 404, 405, 410].contains(refusal.status):
            self.init(.noEndpoint, error.description)
        case .closed(.policyViolation, _): self.init(.lasting, Self.explaining(error.description))
        default: self.init(.passing, error.description)
        }
    }

    private static func explaining(_ description: String) -> String {
        "\(description); check PREFECT_API_KEY or PREFECT_API_AUTH_STRING"
    }

    /// Converts an error that an operation on an event socket has thrown.
    static func wrapping(_ error: any Error) -> EventSocketError {
        switch error {
        case let error as EventSocketError: error
        case let error as WebSocketError: EventSocketError(error)
        case let error as DeadlineExceeded: EventSocketError(.passing, "\(error)")
        default: EventSocketError(.passing, "cancelled")
        }
    }
}

extension APIClient {
    /// Opens an event socket, over which events may pass at once. `deadline` limits the time from connecting to the end
    /// of the handshake.
    func eventSocket(_ direction: EventDirection, deadline: Duration) async throws -> WebSocket {
        let isCloud = configuration.isCloud
        // For `/events/in`, Cloud reads the key only from the header. For `/events/out`, Cloud expects a message with
        // the key, as servers do.
        let authenticates = !isCloud || direction != .toAPI
        let token = configuration.webSocketToken?.reveal()
        return try await withDeadline(deadline, for: "opening the event socket") {
            let socket = try await self.webSocket(
                direction.path, subprotocol: authenticates ? "prefect" : nil, authorization: .header,
                connectTimeout: deadline)
            var handshake = EventHandshake(authenticates: authenticates, token: token, filter: direction.filter)
            var actions = handshake.handle(.opened)
            while !actions.isEmpty {
                switch actions.removeFirst() {
                case .ping:
                    try await socket.ping()
                    actions += handshake.handle(.ponged)
                case .send(let text): try await socket.send(.text(text))
                case .receive:
                    if case .text(let text) = try await socket.receive() { actions += handshake.handle(.message(text)) }
                case .finish: return socket
                case .fail(let reason): throw EventSocketError(.lasting, "\(socket.url): \(reason)")
                }
            }
            throw EventSocketError(.passing, "\(socket.url): the server's answer is not text")
        }
    }
}
