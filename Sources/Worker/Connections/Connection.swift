internal import JSON
internal import Logging
internal import PrefectAPI
internal import Synchronization

/// How one of the worker's WebSockets to the API is. None is needed: whatever goes over one goes by requests, more
/// slowly, while it is not there.
public enum ConnectionState: Sendable, Hashable {
    /// Nobody has asked for it yet.
    case idle
    /// It is being opened.
    case connecting
    /// It is there.
    case live
    /// It was lost, or could not be had, and is tried again within seconds; `serverIsBusy` says that a server that is there
    /// could not keep it.
    case away(reason: String, serverIsBusy: Bool = false)
    /// It is refused until somebody does something about it.
    case refused(reason: String)
    /// The API has none, or lets nobody reach it.
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

/// One of the worker's WebSockets to the API, as others see it. What changes is said in the log, as far as it concerns
/// anybody: an API without the socket is served by requests without a word.
public final class Connection: Sendable {
    private struct State {
        var current = ConnectionState.idle
        /// The last state that was told of.
        var told = ConnectionState.idle
        var hasToldOfBusyServer = false
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

    /// How it is.
    public var current: ConnectionState { state.withLock { $0.current } }

    /// Whether it is there.
    public var isLive: Bool { current == .live }

    /// Notes how it is; `quietly` where somebody else says why.
    func set(_ new: ConnectionState, quietly: Bool = false) {
        let new = new.mapReason(redact)
        let told = state.withLock { state -> ConnectionState? in
            state.current = new
            guard !quietly, new.isWorthTelling(after: state.told) else { return nil }
            if new.isOfBusyServer {
                // A server may be busy all day. The worker's reaction is the same each time, so one line is enough.
                guard state.told == .live, !state.hasToldOfBusyServer else { return nil }
                state.hasToldOfBusyServer = true
                return state.told
            }
            defer { state.told = new }
            return state.told
        }
        guard let told else { return logger.debug("\(name): \(new.json.serialized())") }
        switch new {
        case .live: logger.info("\(name) is connected")
        case .refused(let reason): logger.warning("\(name) is refused, requests do its work: \(reason)")
        case .away(let reason, serverIsBusy: true):
            logger.info("\(name) was closed, requests do its work until it is back: \(reason)")
        case .away(let reason, _), .unavailable(let reason):
            // What was never there is not missed.
            let level: Logger.Level = told == .live ? .info : .debug
            logger.log(level: level, "\(name) is away, requests do its work: \(reason)")
        case .idle, .connecting: break
        }
    }
}

extension ConnectionState {
    /// Whether this state is news to whoever was told of another one.
    fileprivate func isWorthTelling(after told: ConnectionState) -> Bool {
        switch (self, told) {
        case (.idle, _), (.connecting, _): false
        case (.live, .live), (.refused, .refused): false
        // Why it is still away is not worth another line.
        case (.away, let told), (.unavailable, let told): told == .live || told == .idle
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
