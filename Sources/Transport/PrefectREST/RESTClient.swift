package import HTTPTransport
package import PrefectJSON

/// Sends requests to one service. It is a value: a copy with other settings shares the transport and its connections.
///
/// ```swift
/// var client = RESTClient(transport: transport, baseURL: "https://ecs.eu-west-1.amazonaws.com")
/// client.reason = { answer in
///     let json = try? JSONValue(parsing: answer.body)
///     return ServiceReason(code: json?["__type"]?.stringValue ?? "", message: json?["message"]?.stringValue ?? "")
/// }
/// let tasks = try await client.json(RESTRequest(.post, "/", body: .json(["cluster": "default"])))
/// ```
///
/// Every method throws ``RequestFailure``, or `CancellationError` when the task is cancelled.
package struct RESTClient: Sendable {
    /// The transport that carries the requests.
    package var transport: HTTPTransport
    /// The URL before the path of each request, without a trailing slash.
    package var baseURL: String
    /// A Unix socket to connect to instead of the URL's host.
    package var unixSocketPath: String?
    /// Overrides the transport's TLS configuration.
    package var tls: TLSConfiguration?
    /// The headers of every request.
    package var headers: HTTPHeaders
    /// Whether redirects are followed. A signed request should not follow any.
    package var followsRedirects = false
    /// Whether compressed answers are accepted.
    package var decompresses = true
    /// Statuses besides 2xx that count as a success.
    package var acceptedStatuses: Set<Int> = []
    /// Identifies the sender of each request; nil for a service that needs no credentials.
    package var signer: (any RequestSigner)?
    /// The policy by which ``send(_:)`` and ``json(_:)`` repeat a request.
    package var retries: Retries
    /// Reads the reason from an answer that is no success. The default takes the beginning of the body.
    package var reason: @Sendable (RESTAnswer) -> ServiceReason
    /// Sends the requests of ``exchange(_:)`` instead of the transport, if there is one. It gets the whole URL.
    package var carrier: (@Sendable (RESTRequest, _ url: String) async throws -> RESTAnswer)?
    /// Makes the pauses between attempts.
    package var sleep: @Sendable (Duration) async throws -> Void

    /// The most bytes that are read of an answer that is no success. A long body must not hide the status.
    package static let largestRefusal = 65_536

    /// Creates a client. The other settings are properties.
    package init(
        transport: HTTPTransport, baseURL: String, headers: HTTPHeaders = [:], retries: Retries = .none,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.transport = transport
        self.baseURL = baseURL
        self.headers = headers
        self.retries = retries
        self.sleep = sleep
        reason = { ServiceReason(of: $0) }
    }

    /// Sends a request until it succeeds or ``retries`` ends the attempts, and returns the successful answer.
    package func send(_ request: RESTRequest) async throws -> RESTAnswer {
        var attempt = 0
        var mayHaveBeenApplied = false
        while true {
            attempt += 1
            do {
                let answer = try await exchange(request)
                if isSuccess(answer.status) { return answer }
                throw RequestFailure(answer, reason: reason(answer))
            } catch var failure as RequestFailure {
                // An earlier attempt counts too, although the last one was certainly not applied.
                mayHaveBeenApplied = mayHaveBeenApplied || failure.mayHaveBeenApplied
                failure.mayHaveBeenApplied = mayHaveBeenApplied
                let pause = retries.pause(after: failure, attempt: attempt, random: .random(in: 0..<1))
                guard let pause else { throw failure }
                try await sleep(pause)
            }
        }
    }

    /// Sends a request like ``send(_:)``, and returns the answer's JSON; `null` for an empty answer.
    package func json(_ request: RESTRequest) async throws -> JSONValue {
        try await send(request).json()
    }

    /// Sends a request once, and returns the answer whatever its status.
    package func exchange(_ request: RESTRequest) async throws -> RESTAnswer {
        if let carrier {
            let request = try await signed(request)
            return try await carrier(request, baseURL + request.target)
        }
        let response = try await begin(request)
        do {
            let body =
                switch (isSuccess(response.status), request.cutsLargeAnswer) {
                case (true, false): try await response.body.collect(upTo: request.largestAnswer)
                case (true, true): try await response.body.beginning(upTo: request.largestAnswer)
                case (false, _): try await response.body.beginning(upTo: Self.largestRefusal)
                }
            return RESTAnswer(operation: request.operation, head: response.head, body: body)
        } catch {
            throw RequestFailure.error(for: error, operation: request.operation)
        }
    }

    /// Sends a request once, and returns as soon as a successful answer begins. The caller reads its body or releases
    /// it. ``RequestFailure/error(for:operation:)`` converts the errors of reading.
    package func open(_ request: RESTRequest) async throws -> HTTPResponse {
        let response = try await begin(request)
        if isSuccess(response.status) { return response }
        let body: [UInt8]
        do {
            body = try await response.body.beginning(upTo: Self.largestRefusal)
        } catch {
            throw RequestFailure.error(for: error, operation: request.operation)
        }
        let answer = RESTAnswer(operation: request.operation, head: response.head, body: body)
        throw RequestFailure(answer, reason: reason(answer))
    }

    private func isSuccess(_ status: Int) -> Bool {
        (200..<300).contains(status) || acceptedStatuses.contains(status)
    }

    private func begin(_ request: RESTRequest) async throws -> HTTPResponse {
        let request = try await signed(request)
        var sent = HTTPRequest(
            method: request.method, url: baseURL + request.target, headers: request.headers,
            body: request.body.bytes.map { .bytes($0) } ?? .none, unixSocketPath: unixSocketPath,
            deadlines: request.deadlines, followRedirects: followsRedirects, decompress: decompresses, tls: request.tls)
        sent.isMostlySilent = request.isMostlySilent
        sent.isSentOnce = request.isSentOnce
        do {
            return try await transport.send(sent)
        } catch {
            throw RequestFailure.error(for: error, operation: request.operation)
        }
    }

    private func signed(_ request: RESTRequest) async throws -> RESTRequest {
        var signed = request
        signed.headers = headers
        if let type = request.body.type { signed.headers["Content-Type"] = type }
        for name in Set(request.headers.map(\.name)) { signed.headers.remove(name) }
        for field in request.headers { signed.headers.add(field.name, field.value) }
        signed.tls = request.tls ?? tls
        guard let signer else { return signed }
        do {
            try await signer.sign(&signed, for: baseURL)
        } catch let error where error is RequestFailure || error is CancellationError {
            throw error
        } catch {
            throw RequestFailure(.notSigned, operation: request.operation, message: "\(error)")
        }
        return signed
    }
}
