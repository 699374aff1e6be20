internal import FoundationEssentials
internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST
internal import Synchronization

/// The token with which a server protects requests that change state. It belongs to one client of the API.
final class CSRFTokens: Sendable {
    private struct Token {
        let text: String
        let expires: Timestamp?
    }

    private struct State {
        var token: Token?
        var isOff = false
    }

    private let clientID = UUID().text
    private let flight = SingleFlight<Void>()
    private let state = Mutex(State())

    /// The request for a new token.
    var request: APIRequest {
        var request = APIRequest(.get, ["csrf-token"], query: [("client", clientID)])
        request.maximumBodyBytes = 65_536
        return request
    }

    /// Forgets the token, and also that the server needs none.
    func forget() {
        state.withLock { $0 = State() }
    }

    /// Fetches a token before the first request that changes state, and again when the token has expired. A server
    /// without CSRF protection reports this once, and the client does not ask again.
    func renew(_ fetch: () async throws -> RESTAnswer) async throws {
        let isNeeded = state.withLock { state in
            if state.isOff { return false }
            guard let token = state.token else { return true }
            return token.expires.map { $0 <= .now } ?? false
        }
        guard isNeeded else { return }
        try await flight.run { take(try await fetch()) }
    }

    private func take(_ answer: RESTAnswer) {
        guard answer.status == 200, let json = try? JSONValue(parsing: answer.body),
            let text = json["token"]?.stringValue
        else {
            // 404: the server has no such route. 422: protection is switched off. Any other failure is temporary: the
            // request is sent without a token, and a refusal leads back here.
            if answer.status == 404 || answer.status == 422 { state.withLock { $0.isOff = true } }
            return
        }
        let expires = json["expiration"]?.stringValue.flatMap { Timestamp($0) }
        state.withLock { $0.token = Token(text: text, expires: expires) }
    }

    /// Adds the token to the headers of a request that changes state.
    func add(to headers: inout HTTPHeaders) {
        guard let token = state.withLock({ $0.token }) else { return }
        headers["Prefect-Csrf-Token"] = token.text
        headers["Prefect-Csrf-Client"] = clientID
    }

    /// Whether an answer refuses the token. It is then forgotten, and also that the server needed none: the server may
    /// have been restarted with protection switched on.
    func isRefused(in answer: RESTAnswer) -> Bool {
        guard answer.status == 403, String(decoding: answer.body.prefix(4096), as: UTF8.self).contains("CSRF token")
        else { return false }
        forget()
        return true
    }
}
