internal import HTTPTransport
internal import PrefectJSON
internal import PrefectREST
internal import Synchronization

/// The version that an Engine reports.
struct EngineVersion: Sendable, Hashable {
    /// The Engine's version, like `20.10.24`.
    let engine: String
    /// The version of the Engine's API that requests use.
    let api: String
    /// The Engine's product name, if the Engine is not Docker: `Podman Engine`.
    let product: String?

    /// The newest version of the API that this client supports. An Engine with a later version supports it as well.
    static let newest = (1, 47)

    /// Whether `host-gateway` can be used in `ExtraHosts`: from Docker 20.10 on, and also in Podman 4.7.
    var knowsHostGateway: Bool { product != nil || Self.numbers(engine) >= (20, 10) }

    /// Throws an ``EngineError`` when the Engine is too new or its answer does not describe an Engine.
    init(_ json: JSONValue) throws(EngineError) {
        guard let version = json["ApiVersion"]?.stringValue else {
            throw EngineError(
                .malformed, operation: "GET /version", message: "the answer is not from a Docker Engine")
        }
        engine = json["Version"]?.stringValue ?? "of an unknown version"
        let names = json["Components"]?.arrayValue?.compactMap { $0["Name"]?.stringValue } ?? []
        product = names.first { $0.contains("Podman") }
        let least = json["MinAPIVersion"]?.stringValue ?? version
        guard Self.numbers(least) <= Self.newest else {
            throw EngineError(
                .malformed, operation: "GET /version",
                message: "Docker Engine \(engine) requires API \(least) or later, this worker supports at most "
                    + "\(Self.newest.0).\(Self.newest.1); update the worker")
        }
        api = Self.numbers(version) > Self.newest ? "\(Self.newest.0).\(Self.newest.1)" : version
    }

    private static func numbers(_ version: String) -> (Int, Int) {
        let parts = version.split(separator: ".").map { Int($0.prefix { $0.isNumber }) ?? 0 }
        return (parts.first ?? 0, parts.dropFirst().first ?? 0)
    }
}

/// Sends requests to a Docker Engine, each with a deadline. Connections are reused, and there may be as many as there
/// are streams.
///
/// Every method throws ``EngineError``, or `CancellationError` when the task is cancelled.
final class EngineClient: Sendable {
    let endpoint: EngineEndpoint
    private let rest: RESTClient
    private let known = Mutex<EngineVersion?>(nil)
    /// The time limit for an ordinary answer.
    let timeout: Duration

    init(endpoint: EngineEndpoint, timeout: Duration = .seconds(60)) throws(TransportError) {
        self.endpoint = endpoint
        self.timeout = timeout
        let transport = try HTTPTransport(
            TransportConfiguration(maxConnectionsPerHost: nil, maxConnections: nil, idleExpiry: .seconds(60)))
        var rest = RESTClient(transport: transport, baseURL: endpoint.requestURL)
        rest.unixSocketPath = endpoint.socketPath
        rest.tls = endpoint.tls
        rest.decompresses = false
        rest.acceptedStatuses = [304]
        rest.reason = { Self.reason(of: $0) }
        self.rest = rest
    }

    /// A request whose answer begins within `answerTime`, or within the client's own limit, and ends soon after.
    func request(
        _ method: HTTPMethod, _ path: RequestPath, query: [(name: String, value: String)] = [],
        body: JSONValue? = nil, answerTime: Duration? = nil, operation: String
    ) -> RESTRequest {
        let answerTime = answerTime ?? timeout
        return RESTRequest(
            method, path, query: query, body: body.map { .json($0) } ?? .none,
            deadlines: Deadlines(
                connect: min(answerTime, Self.longestConnect), firstByte: answerTime, idle: timeout,
                whole: answerTime + timeout),
            operation: operation)
    }

    /// A request whose answer is a stream without an end. `silence` limits the time between two of its parts.
    func stream(
        _ method: HTTPMethod, _ path: RequestPath, query: [(name: String, value: String)],
        headers: HTTPHeaders = [:], answerTime: Duration, silence: Duration?, operation: String
    ) -> RESTRequest {
        RESTRequest(
            method, path, query: query, headers: headers,
            deadlines: Deadlines(
                connect: min(answerTime, Self.longestConnect), firstByte: answerTime, idle: silence, whole: nil),
            operation: operation)
    }

    private static let longestConnect = Duration.seconds(20)

    /// The version, which is requested once. With `fresh` it is requested again, since another Engine may be running
    /// by now.
    @discardableResult
    func version(fresh: Bool = false, within limit: Duration? = nil) async throws -> EngineVersion {
        if !fresh, let version = known.withLock({ $0 }) { return version }
        let request = self.request(.get, "/version", answerTime: limit, operation: "version")
        let version = try await EngineVersion(json(request, by: rest))
        known.withLock { $0 = version }
        return version
    }

    /// The answer to a request as JSON; `null` for an answer without a body.
    @discardableResult
    func call(_ request: RESTRequest) async throws -> JSONValue { try await json(request, by: versioned()) }

    /// The answer to a request as soon as it begins. Throws unless the answer is a success.
    func open(_ request: RESTRequest) async throws -> HTTPResponse {
        let client = try await versioned()
        return try await Self.translating { try await client.open(request) }
    }

    /// The client for paths below the version of the Engine's API.
    private func versioned() async throws -> RESTClient {
        let version = try await version()
        var client = rest
        client.baseURL += "/v\(version.api)"
        return client
    }

    private func json(_ request: RESTRequest, by client: RESTClient) async throws -> JSONValue {
        let answer = try await Self.translating { try await client.send(request) }
        guard !answer.body.isEmpty else { return .null }
        do {
            return try JSONValue(parsing: answer.body)
        } catch {
            // Podman and the Engine answer with the text `OK` when they have nothing to return.
            guard answer.head.headers["Content-Type"]?.contains("json") == true else { return .null }
            throw EngineError(
                .malformed, operation: request.operation, message: "the answer is not JSON: \(error)",
                mayHaveBeenApplied: true)
        }
    }

    /// An Engine that gives no answer, for whatever reason, may give one later.
    private static func translating<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch var error as EngineError {
            if error.transportError != nil { error.isTransient = true }
            throw error
        }
    }

    /// The Engine's own message in an unsuccessful answer.
    private static func reason(of answer: RESTAnswer) -> ServiceReason {
        let json = try? JSONValue(parsing: answer.body)
        let text = json?["message"]?.stringValue ?? json?["cause"]?.stringValue
        var reason = ServiceReason(text: text, of: answer)
        reason.isTransient = [429, 502, 503].contains(answer.status)
        return reason
    }
}
