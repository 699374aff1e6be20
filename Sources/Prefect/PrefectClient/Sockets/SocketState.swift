/// The state of a WebSocket that is kept open, with the reason why it is not open.
package enum SocketState<Outage: Sendable & Hashable>: Sendable, Hashable {
    /// The socket is not kept open: no task does so yet, or the task has ended.
    case idle
    /// The socket is being opened for the first time, or again after a temporary failure.
    case connecting
    /// The socket is open.
    case live
    /// The socket could not be opened, or was lost. The next attempt follows within seconds.
    case waiting(Outage)
    /// The API refuses the socket until somebody changes something. The next attempt follows after about five minutes.
    case refused(Outage)
    /// The API has no such socket, or something on the way to it blocks WebSockets. The next attempt follows after
    /// about five minutes.
    case unavailable(Outage)

    /// The reason why the socket is not open; `nil` in the other states.
    package var outage: Outage? {
        switch self {
        case .waiting(let outage), .refused(let outage), .unavailable(let outage): outage
        case .idle, .connecting, .live: nil
        }
    }

    /// The same state with another form of the reason.
    package func map<Other>(_ transform: (Outage) -> Other) -> SocketState<Other> {
        switch self {
        case .idle: .idle
        case .connecting: .connecting
        case .live: .live
        case .waiting(let outage): .waiting(transform(outage))
        case .refused(let outage): .refused(transform(outage))
        case .unavailable(let outage): .unavailable(transform(outage))
        }
    }
}

/// The prospect of another attempt to open a WebSocket.
package enum SocketProspect: Sendable, Hashable {
    /// The failure is temporary: the next attempt follows within seconds.
    case passing
    /// Somebody has to change something first. The next attempt follows after minutes, or on request.
    case lasting
    /// The API has no such endpoint, or something on the way to it blocks WebSockets. This is not a fault and costs
    /// only speed, so it is not worth a line in the log.
    case noEndpoint
}

/// The reason why a WebSocket is not open.
protocol SocketOutage: Sendable, Hashable {
    /// The prospect of another attempt.
    var prospect: SocketProspect { get }
}

extension SocketState where Outage: SocketOutage {
    /// The state after a failed attempt or a lost socket.
    init(after outage: Outage) {
        self =
            switch outage.prospect {
            case .passing: .waiting(outage)
            case .lasting: .refused(outage)
            case .noEndpoint: .unavailable(outage)
            }
    }
}
