internal import HTTPTransport
internal import PrefectJSON
internal import PrefectREST
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
        _ method: HTTPMethod, _ path: String, query: [(name: String, value: String)] = [], body: JSONValue? = nil
    ) async throws -> JSONValue {
        let request = RESTRequest(
            method, RequestPath(encoded: path), query: query, body: body.map { .json($0) } ?? .none,
            deadlines: Deadlines(
                connect: timing.connect, firstByte: timing.answer, idle: timing.answer, whole: timing.answer * 2))
        return try await authenticated(request) { try await $0.json(request) }
    }

    /// Sends a request, and returns its answer if the answer is a success. The body is not read yet.
    func open(
        _ method: HTTPMethod, _ path: String, query: [(name: String, value: String)] = [], deadlines: Deadlines,
        isMostlySilent: Bool = false
    ) async throws -> HTTPResponse {
        var request = RESTRequest(method, RequestPath(encoded: path), query: query, deadlines: deadlines)
        request.isMostlySilent = isMostlySilent
        return try await authenticated(request) { try await $0.open(request) }
    }

    /// Sends a request with the current credentials, and once more if others exist after the cluster refused these.
    private func authenticated<Result>(
        _ request: RESTRequest, _ send: (RESTClient) async throws -> Result
    ) async throws -> Result {
        var refused: CredentialSource.Current?
        while true {
            let shown: CredentialSource.Current
            do {
                shown = try await credentials.current(insteadOf: refused)
            } catch let error as ClusterConfigurationError {
                throw KubernetesError(
                    kind: .configuration, message: error.description, operation: request.operation)
            }
            let client = client(showing: shown)
            do {
                return try await send(client)
            } catch let failure as RequestFailure {
                if failure.transportError?.kind == .firstByteTimeout { noteSilence(of: client.transport) }
                let error = KubernetesError(failure)
                // Other credentials may exist by now: a token that was rotated, or new ones from a plug-in.
                guard error.kind == .unauthorized, refused == nil else { throw error }
                refused = shown
                guard try await hasOther(than: shown) else { throw error }
            }
        }
    }

    private func client(showing credentials: CredentialSource.Current) -> RESTClient {
        var client = RESTClient(
            transport: connections, baseURL: access.server,
            headers: ["Accept": "application/json", "User-Agent": "prefect-worker"])
        client.tls = access.tls
        client.signer = credentials
        client.reason = { KubernetesError.reason(of: $0) }
        return client
    }

    /// The connections of requests that begin now.
    var connections: HTTPTransport { transport.withLock { $0 } }

    /// Replaces the connections after one of them was silent. A silent connection may be dead without notice, so no
    /// new request uses it. Requests that are under way on other connections continue.
    ///
    /// Many logs may be silent at the same time. Their connections are replaced once, because each transport has a
    /// thread.
    func noteSilence(of silent: HTTPTransport) {
        guard connections === silent, let fresh = try? HTTPTransport(configuration) else { return }
        // Releasing a transport may take time, so this happens without the lock.
        let unused = transport.withLock { transport in
            guard transport === silent else { return fresh }
            transport = fresh
            return silent
        }
        withExtendedLifetime(unused) {}
    }

    private func hasOther(than shown: CredentialSource.Current) async throws -> Bool {
        switch access.credentials {
        case .tokenFile, .plugin: try await credentials.current(insteadOf: shown) != shown
        case .none, .token, .basic: false
        }
    }

    /// The cluster's error for an error of the transport. Throws `CancellationError` for a cancellation.
    static func converted(_ error: TransportError, _ operation: String) throws -> KubernetesError {
        if error.kind == .cancelled { throw CancellationError() }
        return KubernetesError(RequestFailure(error, operation: operation))
    }
}

extension CredentialSource.Current: RequestSigner {
    func sign(_ request: inout RESTRequest, for baseURL: String) {
        if let authorization { request.headers["Authorization"] = authorization }
        guard let certificate else { return }
        var tls = request.tls ?? TLSConfiguration()
        tls.clientCertificate = certificate
        request.tls = tls
    }
}
