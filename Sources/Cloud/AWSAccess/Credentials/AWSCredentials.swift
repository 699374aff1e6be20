internal import PrefectConcurrency
internal import PrefectJSON

/// The keys that sign requests.
package struct AWSCredentials: Sendable, Hashable {
    /// The public part.
    package let accessKeyID: String
    let secretAccessKey: String
    /// The token of temporary keys.
    let sessionToken: String?

    /// Keys.
    package init(accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
    }
}

/// Keys that were just read from a source.
struct CredentialReading: Sendable {
    let credentials: AWSCredentials
    /// When the keys expire; `nil` for keys that do not.
    var expiry: Timestamp?
    /// The source, for messages.
    let origin: String

    /// Keys in an answer with the usual names; `nil` when some are missing.
    init?(json: JSONValue, token: String = "Token", expiry: String = "Expiration", origin: String) {
        guard let id = json["AccessKeyId"]?.stringValue, let secret = json["SecretAccessKey"]?.stringValue,
            !id.isEmpty, !secret.isEmpty
        else { return nil }
        credentials = AWSCredentials(
            accessKeyID: id, secretAccessKey: secret, sessionToken: json[token]?.stringValue)
        self.expiry = json[expiry]?.stringValue.flatMap { Timestamp($0) }
        self.origin = origin
    }

    init(_ credentials: AWSCredentials, expiry: Timestamp? = nil, origin: String) {
        self.credentials = credentials
        self.expiry = expiry
        self.origin = origin
    }
}

/// Why there are no credentials, in one line.
package struct CredentialFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The source, the cause and the remedy.
    package let description: String
    /// Whether the credentials may be valid again without a change of the configuration.
    package var isTransient = false
}

/// Credentials that are renewed before they expire.
final class CredentialSource: Sendable {
    private let value: RenewedValue<CredentialReading>

    init(_ read: @escaping @Sendable () async throws -> CredentialReading) {
        value = RenewedValue(margin: .seconds(60), advance: .seconds(240)) {
            let reading = try await read()
            return .init(reading, lifetime: reading.expiry.map { .pause(until: $0) })
        }
    }

    func current() async throws -> AWSCredentials { try await value.current().credentials }

    /// The source of the credentials, for messages.
    func origin() async throws -> String { try await value.current().origin }

    /// Reads the credentials again, unless somebody else has.
    func renew(after refused: AWSCredentials) async throws {
        _ = try await value.current { $0.credentials == refused }
    }
}

extension Duration {
    /// The time until a moment, not negative.
    fileprivate static func pause(until moment: Timestamp) -> Duration {
        .seconds(max(0, min(moment.seconds(since: .now), 4_000_000_000)))
    }
}
