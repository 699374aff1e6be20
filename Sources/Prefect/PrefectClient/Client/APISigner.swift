internal import HTTPTransport
internal import PrefectREST

/// Adds to a request the credentials, the attribution, the user's own headers and the CSRF token.
struct APISigner: RequestSigner {
    let configuration: APIClient.Configuration
    let attribution: APIClient.Attribution
    let csrf: CSRFTokens

    func sign(_ request: inout RESTRequest, for baseURL: String) {
        if let authorization = configuration.authorization {
            request.headers["Authorization"] = authorization.reveal()
        }
        if let name = attribution.workerName { request.headers["X-Prefect-Worker-Name"] = headerText(name) }
        if let id = attribution.workerID { request.headers["X-Prefect-Worker-Id"] = headerText(id) }
        for (name, value) in configuration.customHeaders
        where !APIClient.protectedHeaders.contains(name.lowercased()) {
            request.headers[name] = value
        }
        if request.method.changesState { csrf.add(to: &request.headers) }
    }

    /// The text as the value of a header, without line breaks. People choose the names in it, and a line break would
    /// end the header.
    private func headerText(_ text: String) -> String {
        let clean = text.filter { !$0.isNewline && $0 != "\0" }
        return clean.trimming(while: { $0 == " " || $0 == "\t" })
    }
}

extension String {
    /// The text without the characters at both ends that meet a condition.
    func trimming(while condition: (Character) -> Bool) -> String {
        var rest = self[...].drop(while: condition)
        while let last = rest.last, condition(last) { rest.removeLast() }
        return String(rest)
    }
}
