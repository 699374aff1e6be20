internal import HTTPTransport
internal import PrefectJSON

/// The version of a Prefect server, compared with this client's.
public struct ServerVersion: Sendable, Hashable {
    /// The version of the server, such as `3.8.8`.
    public let text: String
    /// Whether the server is older than ``APIClient/prefectVersion``, so it may lack routes and members.
    public let isOlder: Bool
}

/// The server is of another major version than the client, so they do not understand each other.
public struct ServerVersionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The version of the server.
    public let serverVersion: String

    /// The problem and the remedy in one line.
    public var description: String {
        "the server has Prefect \(serverVersion.explanation), and this client is for \(APIClient.prefectVersion); "
            + "use a server of the same major version"
    }
}

extension APIClient {
    /// The version of Prefect that the server has: `GET /admin/version`. Cloud has no such route and answers 404.
    public func readAPIVersion(effort: RetryPolicy.Effort = .standard) async throws -> String {
        try await read(.get, ["admin", "version"], effort: effort)
    }

    /// Checks that client and server understand each other: `GET /admin/version`. Cloud is not asked.
    ///
    /// - Returns: The version of the server; `nil` for Cloud.
    /// - Throws: ``ServerVersionError`` if the major versions differ. ``APIError`` if there is no readable answer.
    @discardableResult
    public func checkServerVersion(effort: RetryPolicy.Effort = .standard) async throws -> ServerVersion? {
        guard !configuration.isCloud else { return nil }
        let text = try await readAPIVersion(effort: effort)
        let server = Self.numbers(of: text)
        let client = Self.numbers(of: Self.prefectVersion)
        guard server.first == client.first else { throw ServerVersionError(serverVersion: text) }
        return ServerVersion(text: text, isOlder: server.lexicographicallyPrecedes(client))
    }

    /// The numbers at the beginning of a version, at most three.
    private static func numbers(of version: String) -> [Int] {
        version.split(separator: ".").prefix(3).map { part in Int(part.prefix { $0.isASCII && $0.isNumber }) ?? 0 }
    }
}
