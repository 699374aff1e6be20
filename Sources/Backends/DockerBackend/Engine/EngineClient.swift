internal import HTTPTransport
internal import JSON
internal import PrefectAPI
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
    private let transport: HTTPTransport
    private let known = Mutex<EngineVersion?>(nil)
    /// The time limit for an ordinary answer.
    let timeout: Duration

    /// The largest ordinary answer, in bytes.
    private static let largestAnswer = 12 << 20

    init(endpoint: EngineEndpoint, timeout: Duration = .seconds(60)) throws(TransportError) {
        self.endpoint = endpoint
        self.timeout = timeout
        transport = try HTTPTransport(
            TransportConfiguration(maxConnectionsPerHost: nil, maxConnections: nil, idleExpiry: .seconds(60)))
    }

    /// A request to the Engine.
    struct Request {
        var method: HTTPMethod = .get
        /// The path after the version, already encoded.
        var path: String
        var query: [(name: String, value: String)] = []
        var headers: HTTPHeaders = [:]
        var body: JSONValue?
        /// The time limit until the answer begins; `nil` for the client's own limit.
        var answerTime: Duration?
        /// The time limit between two parts of a stream; `nil` for no limit.
        var silence: Duration?
        var isStream = false
        /// The name of the operation in errors.
        var operation: String
    }

    /// The version, which is requested once. With `fresh` it is requested again, since another Engine may be running
    /// by now.
    @discardableResult
    func version(fresh: Bool = false, within limit: Duration? = nil) async throws -> EngineVersion {
        if !fresh, let version = known.withLock({ $0 }) { return version }
        let request = Request(path: "/version", answerTime: limit, operation: "version")
        let version = try await EngineVersion(json(of: send(request, versioned: false), request))
        known.withLock { $0 = version }
        return version
    }

    /// The answer to a request as JSON; `null` for an answer without a body.
    @discardableResult
    func call(_ request: Request) async throws -> JSONValue { try await json(of: open(request), request) }

    /// The answer to a request as soon as it begins. Throws unless the answer is a success.
    func open(_ request: Request) async throws -> HTTPResponse {
        try await version()
        return try await send(request, versioned: true)
    }

    private func send(_ request: Request, versioned: Bool) async throws -> HTTPResponse {
        let prefix = versioned ? known.withLock { $0.map { "/v\($0.api)" } } ?? "" : ""
        var url = endpoint.requestURL + prefix + request.path
        if !request.query.isEmpty {
            url += "?" + request.query.map { "\($0.name)=\(Self.encoded($0.value))" }.joined(separator: "&")
        }
        var headers = request.headers
        var body = HTTPRequest.Body.none
        if let json = request.body {
            headers["Content-Type"] = "application/json"
            body = .bytes(json.serializedBytes())
        }
        let answerTime = request.answerTime ?? timeout
        let deadlines = Deadlines(
            connect: min(answerTime, .seconds(20)), firstByte: answerTime,
            idle: request.isStream ? request.silence : timeout,
            whole: request.isStream ? nil : answerTime + timeout)
        let response: HTTPResponse
        do {
            response = try await transport.send(
                HTTPRequest(
                    method: request.method, url: url, headers: headers, body: body,
                    unixSocketPath: endpoint.socketPath, deadlines: deadlines, followRedirects: false,
                    decompress: false, tls: endpoint.tls))
        } catch {
            throw Self.translated(error, request)
        }
        guard response.head.isSuccess || response.status == 304 else {
            throw try await Self.refusal(response, request)
        }
        return response
    }

    private func json(of response: HTTPResponse, _ request: Request) async throws -> JSONValue {
        let bytes: [UInt8]
        do {
            bytes = try await response.body.collect(upTo: Self.largestAnswer)
        } catch {
            throw Self.translated(error, request)
        }
        guard !bytes.isEmpty else { return .null }
        do {
            return try JSONValue(parsing: bytes)
        } catch {
            // Podman and the Engine answer with the text `OK` when they have nothing to return.
            guard response.headers["Content-Type"]?.contains("json") == true else { return .null }
            throw EngineError(
                .malformed, operation: request.operation, message: "the answer is not JSON: \(error)",
                mayHaveBeenDone: true)
        }
    }

    static func translated(_ error: TransportError, _ request: Request) -> any Error {
        error.kind == .cancelled ? CancellationError() : EngineError(error, operation: request.operation)
    }

    /// The error for an unsuccessful answer, with the Engine's own message.
    private static func refusal(_ response: HTTPResponse, _ request: Request) async throws -> EngineError {
        let bytes: [UInt8]
        do {
            bytes = try await response.body.beginning(upTo: 64 << 10)
        } catch {
            if error.kind == .cancelled { throw CancellationError() }
            bytes = []
        }
        let json = try? JSONValue(parsing: bytes)
        let text = json?["message"]?.stringValue ?? json?["cause"]?.stringValue
        let message = text ?? String(decoding: bytes.prefix(500), as: UTF8.self)
        return EngineError(
            .answer(status: response.status), operation: request.operation,
            message: message.allSatisfy(\.isWhitespace) ? "the answer is \(response.status)" : message,
            mayHaveBeenDone: response.status >= 500)
    }

    /// A text encoded for a path or for the value of a query. A slash is kept, because names of images contain
    /// slashes.
    static func encoded(_ text: String) -> String { PercentEncoding.encode(text, keeping: "/:@") }
}
