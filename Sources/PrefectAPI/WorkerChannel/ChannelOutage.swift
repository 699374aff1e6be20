/// Why the worker channel is not there, and what that means for trying again.
public struct ChannelOutage: Error, Sendable, Hashable, CustomStringConvertible {
    /// What to expect of another attempt.
    public enum Prospect: Sendable, Hashable {
        /// It passes: seconds.
        case passing
        /// Somebody has to do something first: minutes, or until ``WorkerChannel/retryNow()``.
        case lasting
        /// The API has no such endpoint, or nothing on the way to it lets WebSockets through. Nobody's fault, and
        /// nothing is lost but speed: not worth a line in the log.
        case noEndpoint
    }

    /// The reasons that there are, by the names that the API has for them in close frames; the last three are ours.
    public enum Reason: String, Sendable, Hashable {
        case authenticationFailed = "authentication_failed"
        case authorizationFailed = "authorization_failed"
        case unsupportedVersion = "unsupported_version"
        case protocolError = "protocol_error"
        case heartbeatPersistenceFailed = "heartbeat_persistence_failed"
        case transientServerError = "transient_server_error"
        case connectionLost = "connection_lost"
        case setupTimeout = "setup_timeout"
        case endpointUnavailable = "endpoint_unavailable"

        fileprivate var prospect: Prospect {
            switch self {
            case .authenticationFailed, .authorizationFailed, .unsupportedVersion, .protocolError: .lasting
            case .heartbeatPersistenceFailed, .transientServerError, .connectionLost, .setupTimeout: .passing
            case .endpointUnavailable: .noEndpoint
            }
        }
    }

    /// The reason.
    public let reason: Reason
    /// What happened, in one line.
    public let detail: String

    /// What to expect of another attempt.
    public var prospect: Prospect { reason.prospect }

    /// Whether a server that is there could not keep the channel: its database was busy, say.
    public var isOfBusyServer: Bool { reason == .heartbeatPersistenceFailed || reason == .transientServerError }

    /// The cause of the outage in one line, for operators.
    public var explanation: String {
        switch reason {
        case .authenticationFailed:
            "the API does not accept the worker's credentials; check PREFECT_API_KEY or PREFECT_API_AUTH_STRING"
        case .authorizationFailed:
            "the pool or a queue of it does not exist, or the credentials are not for it (\(detail))"
        case .unsupportedVersion: "the API speaks another version of it (\(detail))"
        case .heartbeatPersistenceFailed: "the server was too busy to note a heartbeat"
        case .transientServerError: "the server was too busy for it (\(detail))"
        case .protocolError, .connectionLost, .setupTimeout, .endpointUnavailable: detail
        }
    }

    /// Reason and detail in one line.
    public var description: String { "\(reason.rawValue): \(detail)" }

    init(_ reason: Reason, _ detail: String) {
        self.reason = reason
        self.detail = detail
    }
}

extension ChannelOutage {
    /// A connection that was closed. The reason's text counts; only without one that is known does the code.
    static func closed(code: Int, reason: String) -> ChannelOutage {
        if let known = Reason(rawValue: reason), known.isOfCloseFrames {
            return ChannelOutage(known, "the server closed the worker channel")
        }
        let text = "the server closed the worker channel with code \(code)" + (reason.isEmpty ? "" : " (\(reason))")
        return switch code {
        case 1008: ChannelOutage(.authorizationFailed, text)
        case 1002: ChannelOutage(.protocolError, text)
        case 1011: ChannelOutage(.transientServerError, text)
        default: ChannelOutage(.connectionLost, text)
        }
    }

    /// A handshake that was answered with a status.
    static func refused(status: Int) -> ChannelOutage {
        let text = "the server refuses the worker channel with status \(status)"
        return switch status {
        case 401: ChannelOutage(.authenticationFailed, text)
        case 403: ChannelOutage(.authorizationFailed, text)
        // Asked to come later, which is no word on whether there is a channel.
        case 408, 425, 429, 500...: ChannelOutage(.transientServerError, text)
        default: ChannelOutage(.endpointUnavailable, text)
        }
    }

    /// Something of the other side that breaks the protocol.
    static func violation(_ detail: String) -> ChannelOutage {
        ChannelOutage(.protocolError, "the worker channel's \(detail)")
    }
}

extension ChannelOutage.Reason {
    /// Whether the server says it when it closes.
    var isOfCloseFrames: Bool {
        switch self {
        case .connectionLost, .setupTimeout, .endpointUnavailable: false
        default: true
        }
    }
}
