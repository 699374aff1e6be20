/// The reason why the worker channel is unavailable, and the prospect of another attempt.
package struct ChannelOutage: Error, SocketOutage, CustomStringConvertible {
    /// The reasons, by the names that the API uses in close frames. The last three are this package's own.
    package enum Reason: String, Sendable, Hashable {
        case authenticationFailed = "authentication_failed"
        case authorizationFailed = "authorization_failed"
        case unsupportedVersion = "unsupported_version"
        case protocolError = "protocol_error"
        case heartbeatPersistenceFailed = "heartbeat_persistence_failed"
        case transientServerError = "transient_server_error"
        case connectionLost = "connection_lost"
        case setupTimeout = "setup_timeout"
        case endpointUnavailable = "endpoint_unavailable"

        fileprivate var prospect: SocketProspect {
            switch self {
            case .authenticationFailed, .authorizationFailed, .unsupportedVersion, .protocolError: .lasting
            case .heartbeatPersistenceFailed, .transientServerError, .connectionLost, .setupTimeout: .passing
            case .endpointUnavailable: .noEndpoint
            }
        }
    }

    /// The reason for the outage.
    package let reason: Reason
    /// The failure in one line.
    package let detail: String

    /// The prospect of another attempt.
    package var prospect: SocketProspect { reason.prospect }

    /// Whether a reachable server could not keep the channel, for example because its database was busy.
    package var isOfBusyServer: Bool { reason == .heartbeatPersistenceFailed || reason == .transientServerError }

    /// The cause of the outage in one line, for operators.
    package var explanation: String {
        switch reason {
        case .authenticationFailed:
            "the API does not accept the worker's credentials; check PREFECT_API_KEY or PREFECT_API_AUTH_STRING"
        case .authorizationFailed:
            "the pool or one of its queues does not exist, or the credentials give no access to it (\(detail))"
        case .unsupportedVersion: "the API speaks another version of the channel (\(detail))"
        case .heartbeatPersistenceFailed: "the server was too busy to record a heartbeat"
        case .transientServerError: "the server was too busy for the channel (\(detail))"
        case .protocolError, .connectionLost, .setupTimeout, .endpointUnavailable: detail
        }
    }

    /// Reason and detail in one line.
    package var description: String { "\(reason.rawValue): \(detail)" }

    init(_ reason: Reason, _ detail: String) {
        self.reason = reason
        self.detail = detail
    }
}

extension ChannelOutage {
    /// The outage of a connection that the server closed. A known reason decides; without one, the close code decides.
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

    /// The outage of a handshake that the server answered with a status.
    static func refused(status: Int) -> ChannelOutage {
        let text = "the server refuses the worker channel with status \(status)"
        return switch status {
        case 401: ChannelOutage(.authenticationFailed, text)
        case 403: ChannelOutage(.authorizationFailed, text)
        // These statuses request a later attempt, and do not show whether the endpoint exists.
        case 408, 425, 429, 500...: ChannelOutage(.transientServerError, text)
        default: ChannelOutage(.endpointUnavailable, text)
        }
    }

    /// The outage after the server has violated the protocol.
    static func violation(_ detail: String) -> ChannelOutage {
        ChannelOutage(.protocolError, "the worker channel's \(detail)")
    }
}

extension ChannelOutage.Reason {
    /// Whether the server sends this reason when it closes the channel.
    var isOfCloseFrames: Bool {
        switch self {
        case .connectionLost, .setupTimeout, .endpointUnavailable: false
        default: true
        }
    }
}
