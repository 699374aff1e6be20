internal import FoundationEssentials
internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST

/// Signs requests to one service with credentials that may be renewed.
struct AWSSigner: RequestSigner {
    let credentials: CredentialSource
    let region: String
    let service: String
    /// The time of the signature.
    var now: @Sendable () -> Timestamp = { .now }

    func sign(_ request: inout RESTRequest, for baseURL: String) async throws {
        let current = try await credentials.current()
        let time = Self.time(now())
        request.headers.remove("Authorization")
        request.headers["X-Amz-Date"] = time
        request.headers["X-Amz-Security-Token"] = current.sessionToken
        let signature = SignatureV4(credentials: current, region: region, service: service, time: time)
        let headers = request.headers.map { (name: $0.name, value: $0.value) }
        let authorization = signature.authorization(
            method: request.method.rawValue, path: request.path.encoded, query: request.query,
            headers: headers + [(name: "Host", value: Self.host(of: baseURL))], body: request.body.bytes ?? [])
        request.headers["Authorization"] = authorization
    }

    /// The value of the header `Host` that the transport sends for a URL.
    static func host(of baseURL: String) -> String {
        let isPlain = baseURL.lowercased().hasPrefix("http://")
        let rest = baseURL.drop { $0 != "/" }.drop { $0 == "/" }
        var host = rest.prefix { $0 != "/" && $0 != "?" }.lowercased()
        if let at = host.lastIndex(of: "@") { host = String(host[host.index(after: at)...]) }
        let usual = isPlain ? ":80" : ":443"
        return host.hasSuffix(usual) ? String(host.dropLast(usual.count)) : host
    }

    /// A time in the form `20150830T123600Z`.
    static func time(_ moment: Timestamp) -> String {
        "\(moment.apiFormat.prefix(19).filter { $0 != "-" && $0 != ":" })Z"
    }
}
