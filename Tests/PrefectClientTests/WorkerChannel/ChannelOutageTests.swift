import PrefectJSON
import Testing

@testable import PrefectClient

@Suite("Outages of the worker channel")
struct ChannelOutageTests {
    private func outage(_ event: ChannelSession.Event, hasBeenHealthy: Bool = false) -> ChannelOutage? {
        var session = ChannelSession(identity: .recorded, introducesItself: true, hasBeenHealthy: hasBeenHealthy)
        for case .end(let outage) in session.handle(event) { return outage }
        return nil
    }

    @Test(
        "a close frame's reason decides, or its code if the reason is unknown",
        arguments: [
            (1008, "authentication_failed", ChannelOutage.Reason.authenticationFailed, SocketProspect.lasting),
            (1008, "authorization_failed", .authorizationFailed, .lasting),
            (1008, "unsupported_version", .unsupportedVersion, .lasting),
            (1002, "protocol_error", .protocolError, .lasting),
            (1011, "heartbeat_persistence_failed", .heartbeatPersistenceFailed, .passing),
            (1011, "transient_server_error", .transientServerError, .passing),
            (1000, "authorization_failed", .authorizationFailed, .lasting),
            (1008, "", .authorizationFailed, .lasting), (1002, "x", .protocolError, .lasting),
            (1011, "setup_timeout", .transientServerError, .passing), (1000, "", .connectionLost, .passing),
            (1001, "", .connectionLost, .passing), (1005, "", .connectionLost, .passing),
            (1012, "service restart", .connectionLost, .passing),
        ])
    func closes(code: Int, text: String, reason: ChannelOutage.Reason, prospect: SocketProspect) {
        let outage = outage(.closed(code: code, reason: text))
        #expect(outage?.reason == reason && outage?.prospect == prospect)
    }

    @Test(
        "a refused handshake's status maps to a failure of credentials, endpoint or server",
        arguments: [
            (401, ChannelOutage.Reason.authenticationFailed), (403, .authorizationFailed),
            (404, .endpointUnavailable), (405, .endpointUnavailable), (302, .endpointUnavailable),
            (400, .endpointUnavailable), (429, .transientServerError), (500, .transientServerError),
            (503, .transientServerError),
        ])
    func refusals(status: Int, reason: ChannelOutage.Reason) {
        #expect(outage(.refused(status: status))?.reason == reason)
        #expect(outage(.refused(status: status), hasBeenHealthy: true)?.reason == reason)
    }

    @Test("a failed connection means a missing endpoint if the API answers and no earlier connection was healthy")
    func connections() {
        let refused = { ChannelSession.Event.notConnected(detail: "refused", apiAnswers: $0) }
        #expect(outage(refused(true))?.prospect == .noEndpoint)
        #expect(outage(refused(false))?.prospect == .passing)
        #expect(outage(refused(true), hasBeenHealthy: true)?.prospect == .passing)
        #expect(outage(.notUnderstood(detail: "x"))?.prospect == .noEndpoint)
        #expect(outage(.notUnderstood(detail: "x"), hasBeenHealthy: true)?.prospect == .passing)
        #expect(outage(.lost(detail: "x"))?.description == "connection_lost: x")
    }
}
