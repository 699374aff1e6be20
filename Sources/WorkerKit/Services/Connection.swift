internal import Logging
package import PrefectClient
internal import PrefectJSON
internal import Synchronization

/// The state of one of the worker's WebSockets to the API. None is required: without one, requests do its work more
/// slowly.
package typealias ConnectionState = SocketState<ConnectionOutage>

/// The reason why one of the worker's WebSockets is not open.
package struct ConnectionOutage: Sendable, Hashable {
    /// The reason in one line.
    package let reason: String
    /// Whether a reachable server could not keep the connection.
    package let serverIsBusy: Bool

    init(_ reason: String, serverIsBusy: Bool = false) {
        self.reason = reason
        self.serverIsBusy = serverIsBusy
    }

    init(_ outage: ChannelOutage) { self.init(outage.explanation, serverIsBusy: outage.isOfBusyServer) }
}

extension SocketState<ConnectionOutage> {
    /// The state for `/status`.
    var json: JSONValue {
        let name: JSONValue =
            switch self {
            case .idle: "idle"
            case .connecting: "connecting"
            case .live: "live"
            case .waiting: "away"
            case .refused: "refused"
            case .unavailable: "unavailable"
            }
        var json: JSONValue = ["live": .bool(self == .live), "state": name]
        if let outage { json["reason"] = .string(outage.reason) }
        return json
    }
}

/// One of the worker's WebSockets to the API, as the rest of the worker uses it. The log reports the changes that
/// matter to an operator. For an API without the socket, requests do the work, with log lines at the debug level only.
package final class Connection: Sendable {
    private struct State {
        var current = ConnectionState.idle
        /// When the connection was last opened or lost.
        var since = Timestamp.now
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
    package var current: ConnectionState { state.withLock { $0.current } }

    /// The current state for `/status`, with the time at which the connection was opened or lost.
    var json: JSONValue {
        let (current, since) = state.withLock { ($0.current, $0.since) }
        var json = current.json
        json["since"] = .string(since.apiFormat)
        return json
    }

    /// Whether the connection is open.
    package var isLive: Bool { current == .live }

    /// Records a state. With `quietly`, another log line states the reason.
    func set(_ new: ConnectionState, quietly: Bool = false) {
        let new = new.map { ConnectionOutage(redact($0.reason), serverIsBusy: $0.serverIsBusy) }
        let reported = state.withLock { state -> ConnectionState? in
            if (new == .live) != (state.current == .live) { state.since = .now }
            state.current = new
            guard !quietly, new.isWorthReporting(after: state.reported) else { return nil }
            if case .waiting(let outage) = new, outage.serverIsBusy {
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
        case .refused(let outage):
            logger.warning("\(name) is refused, falling back to HTTP requests: \(outage.reason)")
        case .waiting(let outage) where outage.serverIsBusy:
            logger.info("\(name) was closed, falling back to HTTP requests until it reconnects: \(outage.reason)")
        case .waiting(let outage), .unavailable(let outage):
            // A connection that was never open needs no line at the info level.
            let level: Logger.Level = reported == .live ? .info : .debug
            logger.log(level: level, "\(name) is unavailable, falling back to HTTP requests: \(outage.reason)")
        case .idle, .connecting: break
        }
    }
}

extension SocketState<ConnectionOutage> {
    /// Whether the log should report this state after the one that it last reported.
    fileprivate func isWorthReporting(after reported: ConnectionState) -> Bool {
        switch (self, reported) {
        case (.idle, _), (.connecting, _): false
        case (.live, .live), (.refused, .refused): false
        // A new reason for the same outage needs no further line.
        case (.waiting, let reported), (.unavailable, let reported): reported == .live || reported == .idle
        case (.live, _), (.refused, _): true
        }
    }
}
