internal import FoundationEssentials
internal import PrefectConcurrency

/// An application with its secret.
struct ClientSecretSource: TokenSource {
    let name: String
    let service: TokenService
    let application: AzureCredentials.Application

    func read(for cloud: AzureCloud) async throws -> RenewedValue<AzureToken>.Reading {
        try await service.token(
            for: cloud, tenant: application.tenantID,
            form: [
                ("grant_type", "client_credentials"), ("client_id", application.clientID),
                ("client_secret", application.clientSecret),
            ], source: self)
    }
}

/// The application that the environment names, with a secret or a certificate.
struct EnvironmentSource: TokenSource {
    let name = "application of the environment"
    let service: TokenService
    let environment: [String: String]

    func read(for cloud: AzureCloud) async throws -> RenewedValue<AzureToken>.Reading {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let missing = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID"].filter { value($0) == nil }
        guard missing.isEmpty, let tenant = value("AZURE_TENANT_ID"), let client = value("AZURE_CLIENT_ID") else {
            throw SourceUnavailable("\(missing.joined(separator: " and ")) not set")
        }
        if let secret = value("AZURE_CLIENT_SECRET") {
            return try await ClientSecretSource(
                name: name, service: service,
                application: .init(tenantID: tenant, clientID: client, clientSecret: secret)
            ).read(for: cloud)
        }
        guard let path = value("AZURE_CLIENT_CERTIFICATE_PATH") else {
            throw SourceUnavailable("neither AZURE_CLIENT_SECRET nor AZURE_CLIENT_CERTIFICATE_PATH set")
        }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw AzureCredentialError(
                "The certificate '\(path)' of AZURE_CLIENT_CERTIFICATE_PATH cannot be read; check its permissions")
        }
        let certificate = try ClientCertificate(
            pem: String(decoding: data, as: UTF8.self), password: value("AZURE_CLIENT_CERTIFICATE_PASSWORD"), path: path
        )
        let sendsChain = ["1", "true"].contains(value("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN")?.lowercased() ?? "")
        let assertion = try certificate.assertion(
            clientID: client, audience: "\(cloud.authority)/\(tenant)/oauth2/v2.0/token", sendsChain: sendsChain)
        return try await service.token(
            for: cloud, tenant: tenant,
            form: AssertionForm.fields(clientID: client, assertion: assertion), source: self)
    }
}

/// A Kubernetes service account whose token Microsoft's token service accepts.
struct WorkloadIdentitySource: TokenSource {
    let name = "workload identity"
    let service: TokenService
    let environment: [String: String]

    func read(for cloud: AzureCloud) async throws -> RenewedValue<AzureToken>.Reading {
        let names = ["AZURE_FEDERATED_TOKEN_FILE", "AZURE_TENANT_ID", "AZURE_CLIENT_ID"]
        let missing = names.filter { environment[$0, default: ""].isEmpty }
        guard missing.isEmpty, let path = environment[names[0]], let tenant = environment[names[1]],
            let client = environment[names[2]]
        else { throw SourceUnavailable("\(missing.joined(separator: " and ")) not set") }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw AzureCredentialError("The token file '\(path)' of \(names[0]) cannot be read; check its permissions")
        }
        let assertion = String(decoding: data, as: UTF8.self).filter { !$0.isWhitespace }
        guard !assertion.isEmpty else { throw AzureCredentialError("The token file '\(path)' is empty; renew it") }
        return try await service.token(
            for: cloud, tenant: tenant,
            form: AssertionForm.fields(clientID: client, assertion: assertion), source: self)
    }
}

/// The form of a request with a signed assertion in place of a secret.
enum AssertionForm {
    static func fields(clientID: String, assertion: String) -> [(name: String, value: String)] {
        [
            ("grant_type", "client_credentials"), ("client_id", clientID),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion),
        ]
    }
}
