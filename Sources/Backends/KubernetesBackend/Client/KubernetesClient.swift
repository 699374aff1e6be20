internal import HTTPTransport
internal import JSON
internal import PrefectAPI
internal import Synchronization

/// Communicates with the API server of one cluster. The client supports only jobs, pods and their logs, events,
/// secrets, and permissions.
///
/// Each call has a deadline. It is made once, and once more if the credentials were renewed; other retries are up to
/// the caller. Every method throws ``KubernetesError``, or `CancellationError` when the task is cancelled.
final class KubernetesClient: Sendable {
    let access: ClusterAccess
    private let configuration: TransportConfiguration
    private let transport: Mutex<HTTPTransport>
    private let credentials: CredentialSource
    let timing: Timing

    /// The time limits of a client.
    struct Timing: Sendable, Hashable {
        /// The time until a connection is established.
        var connect = Duration.seconds(10)
        /// The time until an answer begins, and between two portions of the answer.
        var answer = Duration.seconds(30)
        /// The duration that is requested for a watch.
        var watch = Duration.seconds(290)
        /// A watch that is silent for this time is dead, even if its connection seems open: bookmarks arrive every
        /// minute.
        var silence = Duration.seconds(150)
    }

    /// Creates a client of a cluster. Throws ``ClusterConfigurationError``.
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

    /// The largest answer for one object, in bytes. The API server's own limit is far lower.
    private static let largestAnswer = 12 << 20

    /// Sends a request, and returns its answer if the answer is a success. The body is not read yet.
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
                // Other credentials may exist by now: a token that was rotated, or new ones from a plug-in.
                guard error.kind == .unauthorized, refused == nil else { throw error }
                refused = shown
                guard try await hasOther(than: shown) else { throw error }
            } catch let error as TransportError {
                if error.kind == .firstByteTimeout { noteSilence() }
                throw try Self.converted(error, operation)
            }
        }
    }

    /// Replaces the connections after one of them was silent. A silent connection may be dead without notice, so no
    /// new request uses it. Requests that are under way on other connections continue.
    func noteSilence() {
        guard let fresh = try? HTTPTransport(configuration) else { return }
        // Releasing the old transport may take time, so this happens without the lock.
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

    /// The cluster's error for an error of the transport. Throws `CancellationError` for a cancellation.
    static func converted(_ error: TransportError, _ operation: String) throws -> KubernetesError {
        if error.kind == .cancelled { throw CancellationError() }
        return KubernetesError(error, operation: operation)
    }
}
