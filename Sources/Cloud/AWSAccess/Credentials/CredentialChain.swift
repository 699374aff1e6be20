internal import HTTPTransport
internal import HelperPrograms
internal import PrefectFiles
internal import PrefectJSON

/// The search for credentials in the order that all programs for AWS share.
struct CredentialChain: Sendable {
    let surroundings: AWSSurroundings
    /// The profile that was named explicitly. Keys in the environment do not count then.
    let explicitProfile: String?
    /// The region of the requests for temporary keys.
    let region: String

    private var environment: [String: String] { surroundings.environment }

    /// The first credentials. Throws ``CredentialFailure`` when a source is configured but unusable, or when there is
    /// none; the message says what was tried.
    func read() async throws -> CredentialReading {
        if explicitProfile == nil, let keys = try keysInEnvironment() { return keys }
        let files = AWSProfileFiles(environment: environment)
        let name = surroundings.profileName(explicitProfile)
        let profile = files.profile(named: name)
        if profile == nil, explicitProfile != nil || name != "default" {
            throw CredentialFailure(
                description:
                    "there is no AWS profile '\(name)' in \(files.configurationPath) or \(files.credentialsPath); "
                    + "correct \(explicitProfile == nil ? "AWS_PROFILE" : "the block's profile_name")")
        }
        if let profile, let keys = try await role(of: profile, files, seen: []) { return keys }
        if let keys = try await webIdentity(profile) { return keys }
        if let profile, let keys = try await keys(of: profile) { return keys }
        let metadata = surroundings.metadata
        if let keys = try await metadata.container() { return keys }
        if let keys = try await metadata.instance() { return keys }
        throw CredentialFailure(
            description: "no AWS credentials found: tried \(explicitProfile == nil ? "AWS_ACCESS_KEY_ID, " : "")"
                + "AWS_WEB_IDENTITY_TOKEN_FILE, the profile '\(name)' in \(files.credentialsPath) and "
                + "\(files.configurationPath), AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and "
                + "AWS_CONTAINER_CREDENTIALS_FULL_URI, and the role of this machine; set one of them, or give the pool a "
                + "block 'aws-credentials'")
    }

    private func keysInEnvironment() throws -> CredentialReading? {
        guard let id = environment["AWS_ACCESS_KEY_ID"], !id.isEmpty else { return nil }
        guard let secret = environment["AWS_SECRET_ACCESS_KEY"], !secret.isEmpty else {
            throw CredentialFailure(description: "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY; set both")
        }
        let token = environment["AWS_SESSION_TOKEN"].flatMap { $0.isEmpty ? nil : $0 }
        return CredentialReading(
            AWSCredentials(accessKeyID: id, secretAccessKey: secret, sessionToken: token), origin: "the environment")
    }

    // MARK: Profiles

    /// The keys of the role that a profile assumes; `nil` for a profile without one.
    private func role(
        of profile: AWSProfile, _ files: AWSProfileFiles, seen: Set<String>
    ) async throws -> CredentialReading? {
        guard let arn = profile["role_arn"], profile["web_identity_token_file"] == nil else { return nil }
        func failure(_ problem: String) -> CredentialFailure {
            CredentialFailure(description: "the AWS profile '\(profile.name)' \(problem); correct it")
        }
        if profile["mfa_serial"] != nil {
            throw failure("asks for a code of a device (mfa_serial), which a worker cannot enter")
        }
        let base: CredentialReading
        if let source = profile["source_profile"] {
            guard let other = files.profile(named: source) else { throw failure("names no known source_profile") }
            // A profile may use its own keys to assume its role.
            if source == profile.name || seen.contains(source) {
                guard let own = try await keys(of: other) else {
                    throw failure("leads back to itself by source_profile")
                }
                base = own
            } else if let keys = try await role(of: other, files, seen: seen.union([profile.name])) {
                base = keys
            } else if let keys = try await keys(of: other) {
                base = keys
            } else {
                throw failure("has the source_profile '\(source)', which has no keys")
            }
        } else {
            base = try await source(named: profile["credential_source"] ?? "", failure)
        }
        var parameters: JSONValue = [:]
        parameters["ExternalId"] = profile["external_id"].map { .string($0) }
        parameters["DurationSeconds"] = profile["duration_seconds"].map { .string($0) }
        parameters["RoleSessionName"] = profile["role_session_name"].map { .string($0) }
        let client = surroundings.client(.sts, in: region, profile, CredentialSource { base })
        return try await client.assume(AWSRole(arn: arn, parameters: parameters))
    }

    private func source(named name: String, _ failure: (String) -> CredentialFailure) async throws -> CredentialReading
    {
        let found: CredentialReading? =
            switch name {
            case "Environment": try keysInEnvironment()
            case "EcsContainer": try await surroundings.metadata.container()
            case "Ec2InstanceMetadata": try await surroundings.metadata.instance()
            default: throw failure("has a role_arn without source_profile or a known credential_source")
            }
        guard let found else { throw failure("has the credential_source '\(name)', which has no keys") }
        return found
    }

    private func webIdentity(_ profile: AWSProfile?) async throws -> CredentialReading? {
        let path = explicitProfile == nil ? environment["AWS_WEB_IDENTITY_TOKEN_FILE"] : nil
        guard let path = path ?? profile?["web_identity_token_file"], !path.isEmpty else { return nil }
        guard let role = (explicitProfile == nil ? environment["AWS_ROLE_ARN"] : nil) ?? profile?["role_arn"] else {
            throw CredentialFailure(description: "the web identity token '\(path)' has no role; set AWS_ROLE_ARN")
        }
        guard let token = surroundings.readFile(path) else {
            throw CredentialFailure(
                description: "the web identity token '\(path)' cannot be read; check AWS_WEB_IDENTITY_TOKEN_FILE")
        }
        let session = environment["AWS_ROLE_SESSION_NAME"] ?? profile?["role_session_name"]
        return try await surroundings.client(.sts, in: region, profile, nil)
            .assume(role: role, token: String(token.trimmingBlanks), session: session)
    }

    /// The keys that a profile has without a role; `nil` if there are none.
    private func keys(of profile: AWSProfile) async throws -> CredentialReading? {
        let sso = SSOCredentials(profile: profile, environment: environment, transport: surroundings.transport)
        if let keys = try await sso.read() { return keys }
        if let keys = Self.keys(in: profile.credentials, of: profile) { return keys }
        if let command = profile["credential_process"] { return try await run(command, of: profile) }
        return Self.keys(in: profile.configuration, of: profile)
    }

    private static func keys(in values: [String: String], of profile: AWSProfile) -> CredentialReading? {
        guard let id = values["aws_access_key_id"], let secret = values["aws_secret_access_key"] else { return nil }
        // Another program may replace the keys in the file.
        return CredentialReading(
            AWSCredentials(accessKeyID: id, secretAccessKey: secret, sessionToken: values["aws_session_token"]),
            expiry: .now.adding(seconds: 600), origin: "the profile '\(profile.name)'")
    }

    private func run(_ command: String, of profile: AWSProfile) async throws -> CredentialReading {
        func failure(_ problem: String) -> CredentialFailure {
            CredentialFailure(
                description: "the credential_process of the AWS profile '\(profile.name)' \(problem); run it by hand",
                isTransient: true)
        }
        do {
            let program = HelperProgram(
                "/bin/sh", arguments: ["-c", command], environment: environment, limit: .seconds(60))
            let answer = try await program.run()
            guard answer.isSuccess else { throw failure("ended with \(answer.ending)") }
            guard let json = try? JSONValue(parsing: Array(answer.output.utf8)), json["Version"]?.intValue == 1,
                let reading = CredentialReading(
                    json: json, token: "SessionToken", origin: "the credential_process of '\(profile.name)'")
            else { throw failure("printed no credentials of version 1") }
            return reading
        } catch let error as HelperProgram.Failure {
            throw failure(error.description)
        }
    }
}
