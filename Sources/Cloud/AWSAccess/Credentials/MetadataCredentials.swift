internal import HTTPTransport
internal import PrefectJSON
internal import PrefectREST

/// Credentials from the container's or the machine's own surroundings, which are asked without a proxy.
struct MetadataCredentials: Sendable {
    let environment: [String: String]
    let transport: HTTPTransport
    /// Reads a small file; `nil` when it cannot be read.
    let readFile: @Sendable (String) -> String?

    /// How long one request may take. No metadata service is far away.
    private static let deadlines = Deadlines(connect: .seconds(1), firstByte: .seconds(2), idle: .seconds(2))

    // MARK: Containers

    /// The credentials of the task (ECS) or the pod (EKS Pod Identity); `nil` when the environment names none.
    func container() async throws -> CredentialReading? {
        let relative = environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] ?? ""
        let full = environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] ?? ""
        guard !relative.isEmpty || !full.isEmpty else { return nil }
        let url = relative.isEmpty ? full : "http://169.254.170.2\(relative)"
        guard Self.isTrusted(url) else {
            throw CredentialFailure(
                description: "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor on this machine or the link; "
                    + "correct it")
        }
        var token = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] ?? ""
        if let path = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"], !path.isEmpty {
            guard let text = readFile(path) else {
                throw CredentialFailure(
                    description: "the token '\(path)' of the container cannot be read; check the file")
            }
            token = String(text.trimmingBlanks)
        }
        let json = try await get(
            url, headers: token.isEmpty ? [:] : ["Authorization": token], "the container's credentials")
        guard let reading = CredentialReading(json: json, origin: "the container's credentials") else {
            throw CredentialFailure(
                description: "the container's credentials at \(url) lack keys; check the task's role")
        }
        return reading
    }

    /// Whether a token may be sent to a URL: over TLS, or to this machine and the metadata addresses.
    private static func isTrusted(_ url: String) -> Bool {
        if url.hasPrefix("https://") { return true }
        let hosts = ["localhost", "127.", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"]
        guard url.hasPrefix("http://") else { return false }
        let authority = url.dropFirst("http://".count).prefix { $0 != "/" && $0 != "?" }
        return !authority.contains("@")
            && hosts.contains {
                authority == $0 || authority.hasPrefix("\($0):")
                    || $0.hasSuffix(".") && authority.hasPrefix($0)
                        && authority.prefix { $0 != ":" }.allSatisfy { $0.isNumber || $0 == "." }
            }
    }

    private func get(_ url: String, headers: HTTPHeaders, _ name: String) async throws -> JSONValue {
        // A path in the URL stays as it is.
        let client = RESTClient(
            transport: transport, baseURL: url, headers: headers,
            retries: Retries(limit: 2, repeatsApplied: true, shortestPause: .milliseconds(300)))
        do {
            return try await client.json(
                RESTRequest(.get, RequestPath(encoded: ""), deadlines: Self.deadlines, operation: name))
        } catch let failure as RequestFailure {
            throw CredentialFailure(
                description: "\(name) cannot be read from \(url): \(failure.message)", isTransient: failure.isTransient)
        }
    }

    // MARK: Machines

    /// The address of the machine's metadata service; `nil` when the user has switched it off.
    private var machine: String? {
        if environment["AWS_EC2_METADATA_DISABLED"]?.lowercased() == "true" { return nil }
        let url = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] ?? ""
        let isIPv6 = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"]?.lowercased() == "ipv6"
        return url.isEmpty ? (isIPv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254") : AWSEndpoints.trimmed(url)
    }

    /// The credentials of the machine's role; `nil` when there is no such service or no role.
    func instance() async throws -> CredentialReading? {
        let path: RequestPath = "/latest/meta-data/iam/security-credentials/"
        guard let machine, let token = try await token(at: machine),
            let role = try await text(path, token, at: machine)?.split(whereSeparator: \.isNewline).first
        else { return nil }
        let document = try await text(
            RequestPath(encoded: path.encoded + PercentEncoding.encode(String(role))), token, at: machine)
        guard let json = document.flatMap({ try? JSONValue(parsing: Array($0.utf8)) }) else { return nil }
        return CredentialReading(json: json, origin: "the role '\(role)' of this machine")
    }

    /// The region of the machine; `nil` when it is unknown.
    func region() async throws -> String? {
        guard let machine, let token = try await token(at: machine) else { return nil }
        return try await text("/latest/meta-data/placement/region", token, at: machine)
    }

    private func token(at machine: String) async throws -> String? {
        try await send(
            RESTRequest(
                .put, "/latest/api/token", headers: ["X-aws-ec2-metadata-token-ttl-seconds": "21600"],
                deadlines: Self.deadlines), at: machine)
    }

    private func text(_ path: RequestPath, _ token: String, at machine: String) async throws -> String? {
        try await send(
            RESTRequest(.get, path, headers: ["X-aws-ec2-metadata-token": token], deadlines: Self.deadlines),
            at: machine)
    }

    /// Sends a request once; `nil` without a successful answer. A machine outside AWS has no such service.
    private func send(_ request: RESTRequest, at machine: String) async throws -> String? {
        do {
            let answer = try await RESTClient(transport: transport, baseURL: machine).send(request)
            return answer.body.isEmpty ? nil : String(decoding: answer.body, as: UTF8.self)
        } catch is RequestFailure {
            return nil
        }
    }
}
