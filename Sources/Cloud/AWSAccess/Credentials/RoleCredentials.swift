internal import FoundationEssentials
internal import OrderedCollections
internal import PrefectJSON
internal import PrefectREST

// Roles that the Security Token Service gives temporary keys for.
extension AWSClient {
    /// Assumes a role with the credentials of this client.
    func assume(_ role: AWSRole) async throws -> CredentialReading {
        var parameters = role.parameters
        if parameters["RoleSessionName"]?.stringValue == nil {
            parameters["RoleSessionName"] = .string("prefect-session-\(UUID().uuidString.prefix(8).lowercased())")
        }
        var fields = [(name: "RoleArn", value: role.arn)]
        for (name, value) in parameters.objectValue ?? [:] { fields += Self.fields(name, value) }
        return try await assumed("AssumeRole", fields, role: role.arn)
    }

    /// Assumes a role with a token of an identity provider.
    func assume(role: String, token: String, session: String?) async throws -> CredentialReading {
        let name = session ?? "prefect-session-\(UUID().uuidString.prefix(8).lowercased())"
        let fields = [
            (name: "RoleArn", value: role), (name: "RoleSessionName", value: name),
            (name: "WebIdentityToken", value: token),
        ]
        return try await assumed("AssumeRoleWithWebIdentity", fields, role: role)
    }

    private func assumed(
        _ operation: String, _ fields: [(name: String, value: String)], role: String
    ) async throws -> CredentialReading {
        do {
            let keys = try await xml(operation, fields).first("Credentials")
            let json = JSONValue(
                (keys?.children ?? []).map { (key: $0.name, value: $0.text) })
            guard let reading = CredentialReading(json: json, token: "SessionToken", origin: "the role '\(role)'")
            else { throw CredentialFailure(description: "the answer to \(operation) has no keys; check its endpoint") }
            return reading
        } catch let failure as RequestFailure {
            if case .notSigned = failure.kind { throw CredentialFailure(description: failure.message) }
            throw CredentialFailure(
                description:
                    "the role '\(role)' cannot be assumed: \(failure.message). Check the role's trust policy, and "
                    + "that the caller may sts:\(operation)", isTransient: failure.isTransient || failure.hasExpiredKeys
            )
        }
    }

    /// The fields of a parameter: lists are numbered, and objects have their members after a dot.
    private static func fields(_ name: String, _ value: JSONValue) -> [(name: String, value: String)] {
        switch value {
        case .null: []
        case .string(let text): text.isEmpty ? [] : [(name: name, value: text)]
        case .array(let elements):
            elements.enumerated().flatMap { fields("\(name).member.\($0.offset + 1)", $0.element) }
        case .object(let members): members.flatMap { fields("\(name).\($0.key)", $0.value) }
        default: [(name: name, value: value.serialized())]
        }
    }
}
