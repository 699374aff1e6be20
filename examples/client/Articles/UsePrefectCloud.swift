import PrefectClient

func workspaces() async throws -> [String] {
    let cloud = try CloudClient(settings: PrefectSettings.load())
    try await cloud.checkHealth()
    return try await cloud.readWorkspaces().map { "\($0.accountHandle)/\($0.workspaceHandle)" }
}

func allow(_ cloud: CloudClient) async throws {
    var allowlist = try await cloud.readAccountIPAllowlist()
    allowlist.entries.append(IPAllowlistEntry(ipNetwork: "10.0.0.0/8", enabled: true))
    try await cloud.updateAccountIPAllowlist(allowlist)
}
