internal import FoundationEssentials
internal import OrderedCollections
internal import PrefectJSON

/// Finds credentials in Docker's own configuration, as `docker pull` would.
struct ConfiguredCredentials: Sendable {
    let directory: DockerConfigurationDirectory
    let environment: [String: String]
    /// The time limit for a credential helper.
    var helperTime = Duration.seconds(30)

    /// The credentials for an image's registry; `nil` when there are none. Throws
    /// ``CredentialHelper/Failure`` when the responsible helper does not answer, or `CancellationError`.
    func find(for image: ImageReference) async throws -> RegistryCredentials? {
        let registry = image.registry
        let server = registry == ImageReference.hub ? ImageReference.hubServer : registry
        let configuration = directory.configuration
        let helpers = configuration["credHelpers"]?.objectValue ?? [:]
        let helper =
            helpers.first { RegistryCredentials.isSame($0.key, registry) }?.value.stringValue
            ?? configuration["credsStore"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
        if let helper {
            let found = try await CredentialHelper(name: helper, environment: environment, limit: helperTime)
                .credentials(for: server)
            if let found { return found }
        }
        let auths = configuration["auths"]?.objectValue ?? [:]
        guard let entry = auths.first(where: { RegistryCredentials.isSame($0.key, registry) })?.value else {
            return nil
        }
        return Self.credentials(entry, server: server)
    }

    /// The credentials of an entry of `auths`; `nil` when the entry has none.
    static func credentials(_ entry: JSONValue, server: String) -> RegistryCredentials? {
        var username = entry["username"]?.stringValue ?? ""
        var password = entry["password"]?.stringValue ?? ""
        if let encoded = entry["auth"]?.stringValue, let data = Data(base64Encoded: encoded) {
            let parts = String(decoding: data, as: UTF8.self)
                .split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 {
                username = String(parts[0])
                password = String(parts[1].filter { $0 != "\0" })
            }
        }
        let token = entry["identitytoken"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
        guard !username.isEmpty || token != nil else { return nil }
        return RegistryCredentials(username: username, password: password, identityToken: token, server: server)
    }
}
