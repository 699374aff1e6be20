internal import HummingbirdCore

/// The address that the health server listens on.
package enum ListeningAddress: Sendable, Hashable, CustomStringConvertible {
    /// A host as configured, without brackets, and a port. Port 0 lets the system choose.
    case network(host: String, port: Int)
    /// A Unix socket of at most 107 bytes; `name` is the path in messages.
    case socket(path: String, name: String)

    /// The port; `nil` for a Unix socket.
    package var port: Int? {
        if case .network(_, let port) = self { port } else { nil }
    }

    /// `host:port`, with brackets around an IPv6 address, or the name of the socket.
    package var description: String {
        switch self {
        case .network(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .socket(_, let name): "'\(name)'"
        }
    }

    var bindAddress: BindAddress {
        switch self {
        case .network(let host, let port): .hostname(host, port: port)
        case .socket(let path, _): .unixDomainSocket(path: path)
        }
    }

    /// The address with the port of a bind.
    func bound(to port: Int?) -> Self {
        if case .network(let host, _) = self, let port { .network(host: host, port: port) } else { self }
    }
}
