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
    /// It was lost, or could not be had, and is tried again within seconds.
    case away(reason: String)
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
            case .away(let reason): ("away", reason)
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
    }

    private let name: String
    private let logger: Logger
    private let redact: @Sendable (String) -> String
    private let state = Mutex(State())

    /// `name` is what the log calls it, at the beginning of a line.
    init(_ name: String, logger: Logger, redact: @escaping @Sendable (String) -> String) {
        self.name = name
        self.logger = logger
        self.redact = redact
    }

    /// How it is.
    public var current: ConnectionState { state.withLock { $0.current } }

    /// Whether it is there.
    public var isLive: Bool { current == .live }

    func set(_ new: ConnectionState) {
        let new = new.mapReason(redact)
        let told = state.withLock { state -> ConnectionState? in
            state.current = new
            guard new.isWorthTelling(after: state.told) else { return nil }
            defer { state.told = new }
            return state.told
        }
        guard let told else { return logger.debug("\(name): \(new.json.serialized())") }
        switch new {
        case .live: logger.info("\(name) is connected")
        case .refused(let reason): logger.warning("\(name) is refused, requests do its work: \(reason)")
        case .away(let reason), .unavailable(let reason):
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

    fileprivate func mapReason(_ change: (String) -> String) -> ConnectionState {
        switch self {
        case .idle, .connecting, .live: self
        case .away(let reason): .away(reason: change(reason))
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
        case .waiting(_, let outage): self = .away(reason: outage.description)
        case .unavailable(let outage) where outage.prospect == .lasting: self = .refused(reason: outage.description)
        case .unavailable(let outage): self = .unavailable(reason: outage.description)
        }
    }
}
