internal import JSON
internal import Logging
internal import PrefectAPI
internal import Synchronization

/// The state of one of the worker's WebSockets to the API. None is required: without one, requests do its work more
/// slowly.
public enum ConnectionState: Sendable, Hashable {
    /// The worker has not requested the connection yet.
    case idle
    /// The connection is being opened.
    case connecting
    /// The connection is open.
    case live
    /// The connection was lost or could not be opened, and the worker retries it within seconds. `serverIsBusy` states
    /// that a reachable server could not keep the connection.
    case away(reason: String, serverIsBusy: Bool = false)
    /// The API refuses the connection until an operator changes something.
    case refused(reason: String)
    /// The API has no such socket, or the socket cannot be reached.
    case unavailable(reason: String)

    /// The state for `/status`.
    var json: JSONValue {
        let (name, reason): (JSONValue, String?) =
            switch self {
            case .idle: ("idle", nil)
            case .connecting: ("connecting", nil)
            case .live: ("live", nil)
            case .away(let reason, _): ("away", reason)
            case .refused(let reason): ("refused", reason)
            case .unavailable(let reason): ("unavailable", reason)
            }
        var json: JSONValue = ["live": .bool(self == .live), "state": name]
        if let reason { json["reason"] = .string(reason) }
        return json
    }
}

/// One of the worker's WebSockets to the API, as the rest of the worker uses it. The log reports the changes that
/// matter to an operator. For an API without the socket, requests do the work, with log lines at the debug level only.
public final class Connection: Sendable {
    private struct State {
        var current = ConnectionState.idle
        /// The last state that the log reported.
        var reported = ConnectionState.idle
        var hasReportedBusyServer = false
    }

    /// The connection's name at the beginning of a log line.
    let name: String
    private let logger: Logger
    private let redact: @Sendable (String) -> String
    private let state = Mutex(State())

    init(_ name: String, logger: Logger, redact: @escaping @Sendable (String) -> String) {
        self.name = name
        self.logger = logger
        self.redact = redact
    }

    /// The current state.
    public var current: ConnectionState { state.withLock { $0.current } }

    /// Whether the connection is open.
    public var isLive: Bool { current == .live }

    /// Records a state. With `quietly`, another log line states the reason.
    func set(_ new: ConnectionState, quietly: Bool = false) {
        let new = new.mapReason(redact)
        let reported = state.withLock { state -> ConnectionState? in
            state.current = new
            guard !quietly, new.isWorthReporting(after: state.reported) else { return nil }
            if new.isOfBusyServer {
                // A server may be busy all day. The worker reacts in the same way each time, so one line is enough.
                guard state.reported == .live, !state.hasReportedBusyServer else { return nil }
                state.hasReportedBusyServer = true
                return state.reported
            }
            defer { state.reported = new }
            return state.reported
        }
        guard let reported else { return logger.debug("\(name): \(new.json.serialized())") }
        switch new {
        case .live: logger.info("\(name) is connected")
        case .refused(let reason): logger.warning("\(name) is refused, falling back to HTTP requests: \(reason)")
        case .away(let reason, serverIsBusy: true):
            logger.info("\(name) was closed, falling back to HTTP requests until it reconnects: \(reason)")
        case .away(let reason, _), .unavailable(let reason):
            // A connection that was never open needs no line at the info level.
            let level: Logger.Level = reported == .live ? .info : .debug
            logger.log(level: level, "\(name) is unavailable, falling back to HTTP requests: \(reason)")
        case .idle, .connecting: break
        }
    }
}

extension ConnectionState {
    /// Whether the log should report this state after the one that it last reported.
    fileprivate func isWorthReporting(after reported: ConnectionState) -> Bool {
        switch (self, reported) {
        case (.idle, _), (.connecting, _): false
        case (.live, .live), (.refused, .refused): false
        // A new reason for the same outage needs no further line.
        case (.away, let reported), (.unavailable, let reported): reported == .live || reported == .idle
        case (.live, _), (.refused, _): true
        }
    }

    fileprivate var isOfBusyServer: Bool {
        if case .away(_, serverIsBusy: true) = self { true } else { false }
    }

    fileprivate func mapReason(_ change: (String) -> String) -> ConnectionState {
        switch self {
        case .idle, .connecting, .live: self
        case .away(let reason, let serverIsBusy): .away(reason: change(reason), serverIsBusy: serverIsBusy)
        case .refused(let reason): .refused(reason: change(reason))
        case .unavailable(let reason): .unavailable(reason: change(reason))
        }
    }
}

extension ConnectionState {
    /// The state of a subscription.
    init(_ state: EventSubscription.State) {
        switch state {
        case .idle: self = .idle
        case .connecting: self = .connecting
        case .live: self = .live
        case .waiting(let reason): self = .away(reason: reason)
        case .refused(let reason): self = .refused(reason: reason)
        case .unavailable(let reason): self = .unavailable(reason: reason)
        }
    }

    /// The state of a worker channel.
    init(_ state: WorkerChannel.State) {
        switch state {
        case .stopped: self = .idle
        case .connecting: self = .connecting
        case .healthy: self = .live
        case .waiting(_, let outage): self = .away(reason: outage.explanation, serverIsBusy: outage.isOfBusyServer)
        case .unavailable(let outage) where outage.prospect == .lasting: self = .refused(reason: outage.explanation)
        case .unavailable(let outage): self = .unavailable(reason: outage.explanation)
        }
    }
}
