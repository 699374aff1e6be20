package import PrefectJSON

/// The credentials of a job, as the block `azure-container-instance-credentials` describes them.
package struct AzureCredentials: Sendable, Hashable {
    /// An application with its secret.
    package struct Application: Sendable, Hashable {
        package var tenantID: String
        package var clientID: String
        package var clientSecret: String
    }

    /// The application that the block names; `nil` for the default chain of the worker's host.
    package var application: Application?
    /// The token service that the block names, as a host or a URL.
    package var authority: String?
    /// The client id of the managed identity that the block names.
    package var managedIdentityClientID: String?
    /// The sources of the default chain that the block excludes.
    package var excludedSources: Set<TokenSourceKind> = []

    /// The default chain without conditions.
    package init() {}

    /// Reads the data of a block. `null` stands for the default chain.
    package init(block: JSONValue) throws(AzureCredentialError) {
        guard !block.isNull else { return }
        guard block.objectValue != nil else {
            throw AzureCredentialError(
                "The job variable 'aci_credentials' should be a block but its type is \(block.typeName); refer to an "
                    + "Azure Container Instance Credentials block or leave it out")
        }
        func text(_ field: String, in value: JSONValue) throws(AzureCredentialError) -> String? {
            switch value[field] {
            case nil, .null?: return nil
            case .string(let text)?: return text
            case .some(let other):
                throw AzureCredentialError(
                    "'\(field)' of the job variable 'aci_credentials' should be a string but its type is "
                        + "\(other.typeName); correct the block")
            }
        }
        let tenant = try text("tenant_id", in: block)
        let client = try text("client_id", in: block)
        let secret = try text("client_secret", in: block)
        if let tenant, let client, let secret {
            guard !tenant.isEmpty, !client.isEmpty, !secret.isEmpty else { throw Self.incomplete }
            application = Application(tenantID: tenant, clientID: client, clientSecret: secret)
        } else if tenant != nil || client != nil || secret != nil {
            throw Self.incomplete
        }
        let options = block["credential_kwargs"] ?? .null
        authority = try text("authority", in: options)
        managedIdentityClientID = try text("managed_identity_client_id", in: options)
        for kind in TokenSourceKind.allCases where options["exclude_\(kind.keyword)_credential"] == true {
            excludedSources.insert(kind)
        }
    }

    private static var incomplete: AzureCredentialError {
        AzureCredentialError(
            "The job variable 'aci_credentials' has only some of client_id, tenant_id and client_secret; give all "
                + "three, or none for the credentials of the worker's host")
    }
}

/// A source of tokens in the default chain, in the order of the chain.
package enum TokenSourceKind: String, Sendable, Hashable, CaseIterable {
    case environment = "EnvironmentCredential"
    case workloadIdentity = "WorkloadIdentityCredential"
    case managedIdentity = "ManagedIdentityCredential"
    case azureCLI = "AzureCliCredential"
    case developerCLI = "AzureDeveloperCliCredential"

    /// The name within the options of a block.
    var keyword: String {
        switch self {
        case .environment: "environment"
        case .workloadIdentity: "workload_identity"
        case .managedIdentity: "managed_identity"
        case .azureCLI: "cli"
        case .developerCLI: "developer_cli"
        }
    }

    /// The variable that selects sources.
    package static let variable = "AZURE_TOKEN_CREDENTIALS"

    /// The sources that the worker's environment selects: `prod`, `dev` or the name of one source; all by default.
    static func selected(by environment: [String: String]) throws(AzureCredentialError) -> [TokenSourceKind] {
        let text = (environment[variable] ?? "").lowercased().filter { !$0.isWhitespace }
        switch text {
        case "": return allCases
        case "prod": return [.environment, .workloadIdentity, .managedIdentity]
        case "dev": return [.azureCLI, .developerCLI]
        default:
            guard let kind = allCases.first(where: { $0.rawValue.lowercased() == text }) else {
                throw AzureCredentialError(
                    "\(variable) names a source of credentials that this worker does not have; set it to prod, dev or "
                        + "one of \(allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return [kind]
        }
    }
}
