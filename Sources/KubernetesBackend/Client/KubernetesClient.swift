internal import HTTPTransport
internal import JSON
internal import PrefectAPI
internal import Synchronization

/// Speaks to the API server of one cluster. Small: jobs, pods and their logs, events, secrets, and what one may do.
///
/// Every call has a deadline and is made once, but for credentials that were renewed; what is to be repeated, the caller
/// knows. Everything throws ``KubernetesError``, or `CancellationError` when the task is cancelled.
final class KubernetesClient: Sendable {
    let access: ClusterAccess
    private let configuration: TransportConfiguration
    private let transport: Mutex<HTTPTransport>
    private let credentials: CredentialSource
    let timing: Timing

    /// How long things may take.
    struct Timing: Sendable, Hashable {
        /// Until a connection is there.
        var connect = Duration.seconds(10)
        /// Until an answer begins, and between two portions of it.
        var answer = Duration.seconds(30)
        /// How long a watch is asked to last.
        var watch = Duration.seconds(290)
        /// A watch over which nothing came for so long is dead, whatever the connection says: bookmarks come every minute.
        var silence = Duration.seconds(150)
    }

    /// A client of a cluster. Throws ``ClusterConfigurationError``.
    init(
        _ access: ClusterAccess, environment: [String: String], timing: Timing = Timing()
    ) throws(ClusterConfigurationError) {
        self.access = access
        self.timing = timing
        var configuration = TransportConfiguration(
            http2: true, proxies: ProxyPolicy(environment: environment), maxConnectionsPerHost: nil, maxConnections: nil
        )
        if let proxy = access.proxyURL {
            configuration.proxies = ProxyPolicy(environment: ["http_proxy": proxy, "https_proxy": proxy])
        }
        self.configuration = configuration
        do {
            transport = Mutex(try HTTPTransport(configuration))
        } catch {
            throw ClusterConfigurationError("The Kubernetes client could not be started: \(error)")
        }
        credentials = CredentialSource(access.credentials, environment: environment)
    }

    /// Sends a request and returns the JSON of its answer.
    @discardableResult
    func call(
        _ method: HTTPMethod, _ path: String, query: [(String, String)] = [], body: JSONValue? = nil,
        contentType: String = "application/json"
    ) async throws -> JSONValue {
        let response = try await open(
            method, path, query: query, body: body, contentType: contentType,
            deadlines: Deadlines(
                connect: timing.connect, firstByte: timing.answer, idle: timing.answer, whole: timing.answer * 2))
        let operation = "\(method) \(path)"
        do {
            let bytes = try await response.body.collect(upTo: Self.largestAnswer)
            return bytes.isEmpty ? .null : try JSONValue(parsing: bytes)
        } catch let error as TransportError {
            throw try Self.converted(error, operation)
        } catch {
            throw KubernetesError(
                kind: .unreadable, message: "the answer is \(error)", operation: operation, mayHaveBeenApplied: true)
        }
    }

    /// So much of an answer that is one object is taken: the API server's own limit is far lower.
    private static let largestAnswer = 12 << 20

    /// Sends a request and returns its answer, the body still to be read, if it is a success.
    func open(
        _ method: HTTPMethod, _ path: String, query: [(String, String)] = [], body: JSONValue? = nil,
        contentType: String = "application/json", deadlines: Deadlines
    ) async throws -> HTTPResponse {
        let operation = "\(method) \(path)"
        var refused: CredentialSource.Current?
        while true {
            let shown: CredentialSource.Current
            do {
                shown = try await credentials.current(insteadOf: refused)
            } catch let error as ClusterConfigurationError {
                throw KubernetesError(error, operation: operation)
            }
            let request = request(
                method, path, query: query, body: body, contentType: contentType, deadlines: deadlines, shown)
            do {
                let response = try await transport.withLock({ $0 }).send(request)
                if response.head.isSuccess { return response }
                let text = try await response.body.beginning(upTo: 1 << 16)
                let error = KubernetesError(
                    status: response.status, headers: response.headers, body: text, operation: operation)
                // Other credentials may be there by now: a token that was rotated, a plug-in that hands out new ones.
                guard error.kind == .unauthorized, refused == nil else { throw error }
                refused = shown
                guard try await hasOther(than: shown) else { throw error }
            } catch let error as TransportError {
                if error.kind == .firstByteTimeout { noteSilence() }
                throw try Self.converted(error, operation)
            }
        }
    }

    /// Nothing came back over a connection: it may be dead without knowing it, so that nothing new is sent over it. What is
    /// still under way on others goes on.
    func noteSilence() {
        guard let fresh = try? HTTPTransport(configuration) else { return }
        // Whoever lets go of the old one may have to wait for it: not with the lock.
        let old = transport.withLock { transport in
            defer { transport = fresh }
            return transport
        }
        withExtendedLifetime(old) {}
    }

    private func hasOther(than shown: CredentialSource.Current) async throws -> Bool {
        switch access.credentials {
        case .tokenFile, .plugin: try await credentials.current(insteadOf: shown) != shown
        case .none, .token, .basic: false
        }
    }

    private func request(
        _ method: HTTPMethod, _ path: String, query: [(String, String)], body: JSONValue?, contentType: String,
        deadlines: Deadlines, _ shown: CredentialSource.Current
    ) -> HTTPRequest {
        var url = access.server + path
        if !query.isEmpty {
            url += "?" + query.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
        }
        var headers: HTTPHeaders = ["Accept": "application/json", "User-Agent": "prefect-worker"]
        if let authorization = shown.authorization { headers["Authorization"] = authorization }
        if body != nil { headers["Content-Type"] = contentType }
        var tls = access.tls
        if let certificate = shown.certificate { tls.clientCertificate = certificate }
        return HTTPRequest(
            method: method, url: url, headers: headers, body: body.map { .bytes($0.serializedBytes()) } ?? .none,
            deadlines: deadlines, followRedirects: false, tls: tls)
    }

    /// The transport's error as the cluster's, or as a cancellation.
    static func converted(_ error: TransportError, _ operation: String) throws -> KubernetesError {
        if error.kind == .cancelled { throw CancellationError() }
        return KubernetesError(error, operation: operation)
    }
}
