package import BackendKit
package import PrefectJSON

/// A block of the type `aws-credentials`, or nothing for the worker's own credentials.
package struct AWSConfiguration: Sendable, Hashable {
    /// The keys of the block.
    let keys: AWSCredentials?
    /// The profile that the block names.
    let profile: String?
    /// The region that the block names.
    let region: String?
    /// The URL for all services except the one that assumes the role.
    package var endpoint: String?
    /// Whether connections use TLS.
    let usesTLS: Bool
    /// Whether the certificates of services are checked.
    let verifies: Bool
    /// The file of trusted certificate authorities.
    let authorities: String?
    /// The role to assume with these credentials.
    let role: AWSRole?

    /// The worker's own credentials.
    package static let surroundings = AWSConfiguration()

    private init() {
        (keys, profile, region, endpoint, authorities, role) = (nil, nil, nil, nil, nil, nil)
        (usesTLS, verifies) = (true, true)
    }

    /// Reads a block. Throws ``InfrastructureError`` of the kind `refused`, which names the field.
    ///
    /// - Parameter allowsHostCredentials: Whether the block may name profiles and files of the worker's host.
    package init(block: JSONValue, allowsHostCredentials: Bool) throws(InfrastructureError) {
        guard !block.isNull else {
            self = .surroundings
            return
        }
        guard case .object = block else { throw Self.mismatch("aws_credentials", "an object", block) }
        func text(_ key: String, in object: JSONValue = block) throws(InfrastructureError) -> String? {
            guard let value = object[key], !value.isNull else { return nil }
            guard let text = value.stringValue else { throw Self.mismatch("aws_credentials.\(key)", "a string", value) }
            return text.isEmpty ? nil : text
        }
        let id = try text("aws_access_key_id")
        let secret = try text("aws_secret_access_key")
        guard (id == nil) == (secret == nil) else {
            throw InfrastructureError(
                .refused,
                "The block 'aws-credentials' has \(id == nil ? "aws_secret_access_key" : "aws_access_key_id") alone; "
                    + "set both keys or neither")
        }
        if let id, let secret {
            keys = AWSCredentials(
                accessKeyID: id, secretAccessKey: secret, sessionToken: try text("aws_session_token"))
        } else {
            keys = nil
        }
        profile = try text("profile_name")
        region = try text("region_name")
        let client = block["aws_client_parameters"] ?? [:]
        endpoint = try text("endpoint_url", in: client).map(AWSEndpoints.trimmed)
        usesTLS = client["use_ssl"]?.boolValue ?? true
        verifies = client["verify"]?.boolValue ?? true
        authorities = try text("verify_cert_path", in: client) ?? client["verify"]?.stringValue
        role = try text("assume_role_arn").map { AWSRole(arn: $0, parameters: block["assume_role_kwargs"] ?? [:]) }
        for (field, value) in [("profile_name", profile), ("verify_cert_path", authorities)]
        where value != nil && !allowsHostCredentials {
            throw InfrastructureError(
                .refused,
                "The block 'aws-credentials' has '\(field)', which names a file of the worker's host; put the keys into "
                    + "the block, or start the worker with --allow-host-credentials")
        }
    }

    private static func mismatch(_ field: String, _ expected: String, _ value: JSONValue) -> InfrastructureError {
        InfrastructureError(
            .refused, "The field '\(field)' should be \(expected) but its type is \(value.typeName); correct the block")
    }

    /// The parts that tell blocks apart, without secrets; `nil` for the worker's own credentials.
    package var name: String? {
        let parts = [
            keys?.accessKeyID, profile.map { "profile \($0)" }, role?.arn, endpoint.map { AWSSigner.host(of: $0) },
        ].compactMap { $0 }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }
}

/// A role to assume, with the further parameters of the request.
struct AWSRole: Sendable, Hashable {
    let arn: String
    /// The parameters under the names of the request; null ones are absent.
    let parameters: JSONValue
}
