/// One entry of `no_proxy`.
struct ProxyExemption: Sendable, Equatable {
    private enum Target: Equatable {
        case everything
        case domain(String, includingItself: Bool)
        case network(IPNetwork)
    }

    private var target: Target
    private var scheme: String?
    private var port: Int?

    /// Returns nil for a meaningless entry, such as an empty one.
    init?(_ entry: String) {
        var rest = entry.lowercased()[...]
        if let separator = rest.firstRange(of: "://") {
            scheme = String(rest[..<separator.lowerBound])
            rest = rest[separator.upperBound...]
        }
        // An address may contain colons, so it is tried before a port.
        if let network = IPNetwork(String(rest)) {
            target = .network(network)
            return
        }
        if let colon = rest.lastIndex(of: ":"), let number = Int(rest[rest.index(after: colon)...]) {
            port = number
            rest = rest[..<colon]
        }
        if rest.first == "[", rest.last == "]" {
            rest = rest.dropFirst().dropLast()
        }
        if let network = IPNetwork(String(rest)) {
            target = .network(network)
        } else if rest == "*" {
            target = .everything
        } else {
            let below = rest.first == "*" || rest.first == "."
            var name = rest.drop { $0 == "*" || $0 == "." }
            while name.last == "." { name = name.dropLast() }
            guard !name.isEmpty else { return nil }
            target = .domain(String(name), includingItself: !below)
        }
    }

    func covers(_ url: ParsedURL) -> Bool {
        if let scheme, scheme != "all", scheme != url.scheme { return false }
        if let port, port != url.port { return false }
        switch target {
        case .everything:
            return true
        case .network(let network):
            guard let address = IPAddress(url.host) else { return false }
            return network.contains(address)
        case .domain(let name, let includingItself):
            // "host." is the same host, written as a fully qualified name.
            let host = url.host.last == "." ? String(url.host.dropLast()) : url.host
            return host == name ? includingItself : host.hasSuffix("." + name)
        }
    }
}
