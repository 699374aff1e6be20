/// The URLs of services, by the settings that all programs for AWS share.
struct AWSEndpoints: Sendable {
    /// The worker's environment.
    let environment: [String: String]
    /// The profile in use, with its sections.
    let profile: AWSProfile?

    /// The URL of a service in a region, without a trailing slash.
    func url(of service: AWSService, in region: String) -> String {
        configured(for: service.settingName) ?? "https://\(host(of: service, in: region))"
    }

    /// The URL that the user has configured for a service; `nil` for the usual one.
    func configured(for setting: String) -> String? {
        let ignores = environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] ?? profile?["ignore_configured_endpoint_urls"]
        if ignores?.lowercased() == "true" { return nil }
        let found = [
            environment["AWS_ENDPOINT_URL_\(setting)"], profile?.endpoint(of: setting.lowercased()),
            environment["AWS_ENDPOINT_URL"], profile?["endpoint_url"],
        ]
        return found.compactMap { $0 }.first { !$0.isEmpty }.map(Self.trimmed)
    }

    /// A URL without the slashes at its end.
    static func trimmed(_ url: String) -> String {
        var url = url[...]
        while url.hasSuffix("/") { url.removeLast() }
        return String(url)
    }

    private func host(of service: AWSService, in region: String) -> String {
        let partition = AWSPartition.of(region: region)
        // In GovCloud the usual endpoints of these services are validated ones.
        let isValidated = partition.name == "aws-us-gov" && service != .ecs
        let usesFIPS = flag("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")
        let usesDualStack = flag("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")
        if usesDualStack, let suffix = partition.dualStackSuffix {
            return "\(service.rawValue)\(usesFIPS ? "-fips" : "").\(region).\(suffix)"
        }
        return "\(service.rawValue)\(usesFIPS && !isValidated ? "-fips" : "").\(region).\(partition.suffix)"
    }

    private func flag(_ variable: String, _ key: String) -> Bool {
        (environment[variable] ?? profile?[key])?.lowercased() == "true"
    }
}
