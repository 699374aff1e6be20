internal import FoundationEssentials

/// One of Azure's clouds: the endpoints for tokens, for resources and for people.
package struct AzureCloud: Sendable, Hashable {
    /// The URL of the token service, without a trailing slash.
    package var authority: String
    /// The URL of the Resource Manager, without a trailing slash.
    package var resourceManager: String
    /// The URL of the portal, without a trailing slash.
    package var portal: String

    /// The permission that tokens for the Resource Manager have.
    package var scope: String { "\(resourceManager)/.default" }

    /// The variable that names the token service, and with it the cloud.
    package static let authorityVariable = "AZURE_AUTHORITY_HOST"
    /// The variable that names another Resource Manager, such as that of an Azure Stack.
    package static let resourceManagerVariable = "PREFECT_WORKER_AZURE_RESOURCE_MANAGER"

    /// Azure's public cloud.
    package static let global = AzureCloud(
        authority: "https://login.microsoftonline.com", resourceManager: "https://management.azure.com",
        portal: "https://portal.azure.com")
    /// The cloud in China.
    package static let china = AzureCloud(
        authority: "https://login.chinacloudapi.cn", resourceManager: "https://management.chinacloudapi.cn",
        portal: "https://portal.azure.cn")
    /// The cloud of the government of the United States.
    package static let government = AzureCloud(
        authority: "https://login.microsoftonline.us", resourceManager: "https://management.usgovcloudapi.net",
        portal: "https://portal.azure.us")

    private static let known: [String: AzureCloud] = [
        "login.microsoftonline.com": global, "login.windows.net": global, "login.microsoft.com": global,
        "sts.windows.net": global, "login.chinacloudapi.cn": china, "login.partner.microsoftonline.cn": china,
        "login.microsoftonline.us": government, "login-us.microsoftonline.com": government,
    ]

    /// A cloud of these endpoints.
    package init(authority: String, resourceManager: String, portal: String) {
        self.authority = authority
        self.resourceManager = resourceManager
        self.portal = portal
    }

    /// The cloud that the worker's environment names; the public cloud by default.
    package init(environment: [String: String]) throws(AzureCredentialError) {
        self = .global
        if let text = environment[Self.authorityVariable], !text.isEmpty {
            guard let cloud = Self.cloud(ofAuthority: text) else {
                throw AzureCredentialError(
                    "\(Self.authorityVariable) is no host name; set it to a host such as login.microsoftonline.com")
            }
            self = cloud
        }
        if let text = environment[Self.resourceManagerVariable], !text.isEmpty {
            guard let url = Self.url(text) else {
                throw AzureCredentialError(
                    "\(Self.resourceManagerVariable) is no URL; set it to a URL such as https://management.azure.com")
            }
            resourceManager = url
        }
    }

    /// The cloud of a token service, given as a host or a URL. A token service that is not known belongs to the public
    /// cloud. `nil` for a text that is neither a host nor a URL.
    package static func cloud(ofAuthority text: String) -> AzureCloud? {
        guard let url = url(text) else { return nil }
        let host = String(url.drop { $0 != "/" }.dropFirst(2)).lowercased()
        var cloud = known[host] ?? .global
        cloud.authority = url
        return cloud
    }

    /// Whether a token service belongs to one of Azure's clouds.
    package static func isKnown(authority text: String) -> Bool {
        guard let url = url(text), url.hasPrefix("https://") else { return false }
        return known[String(url.dropFirst("https://".count)).lowercased()] != nil
    }

    private static func url(_ text: String) -> String? {
        var text = text.trimmingPrefix { $0.isWhitespace }
        while let last = text.last, last == "/" || last.isWhitespace { text.removeLast() }
        let url = text.contains("://") ? String(text) : "https://\(text)"
        guard let scheme = url.firstRange(of: "://"), ["https", "http"].contains(url[..<scheme.lowerBound]) else {
            return nil
        }
        let host = url[scheme.upperBound...]
        let isHost =
            !host.isEmpty && host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } && !host.contains { "?#@\\".contains($0) }
        return isHost ? url : nil
    }
}
