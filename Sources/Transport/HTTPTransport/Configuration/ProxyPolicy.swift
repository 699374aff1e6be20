import FoundationEssentials

/// Selects the proxy for a request from the usual environment variables.
///
/// `http_proxy` and `https_proxy` apply to their scheme, `all_proxy` to a scheme without its own. The upper-case names
/// are read too; a lower-case name wins, even when it is empty. `no_proxy` lists the targets that are reached directly,
/// separated by commas or spaces:
///
/// - `*`: everything
/// - `example.com`: the name and everything below it; `.example.com` and `*.example.com`: only the names below it
/// - an IP address, or a network such as `10.0.0.0/8` or `fd00::/8`, compared with hosts that are addresses
/// - any of these with a port, `host:8080` or `[::1]:8080`, or for one scheme, `https://host`
package struct ProxyPolicy: Sendable, Equatable {
    private let proxies: [String: String]
    private let fallback: String?
    private let exemptions: [ProxyExemption]

    package init(environment: [String: String]) {
        func value(_ name: String) -> String? {
            let value = environment[name] ?? environment[name.uppercased()]
            guard let value = value?.trimmed, !value.isEmpty else { return nil }
            return value
        }
        var proxies: [String: String] = [:]
        proxies["http"] = value("http_proxy")
        proxies["https"] = value("https_proxy")
        self.proxies = proxies
        fallback = value("all_proxy")
        exemptions = (value("no_proxy") ?? "")
            .split { $0 == "," || $0.isWhitespace }
            .compactMap { ProxyExemption(String($0)) }
    }

    /// A policy without any proxy.
    package static let direct = ProxyPolicy(environment: [:])

    /// The policy from this process's current environment.
    package static var fromEnvironment: ProxyPolicy {
        ProxyPolicy(environment: ProcessInfo.processInfo.environment)
    }

    /// The proxy for a URL, as it was configured (credentials included), or nil to connect directly.
    package func proxy(for url: String) -> String? {
        guard let url = ParsedURL(url) else { return nil }
        return proxy(for: url)
    }

    func proxy(for url: ParsedURL) -> String? {
        guard let proxy = proxies[url.scheme] ?? fallback else { return nil }
        return exemptions.contains { $0.covers(url) } ? nil : proxy
    }
}

extension String {
    fileprivate var trimmed: String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[first...last])
    }
}
