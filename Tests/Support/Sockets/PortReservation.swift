internal import Glibc
internal import NIOCore

/// Reserves a local port for one server, also while the server does not listen.
///
/// A bound socket that does not listen refuses connections, and the system gives its port to no other socket. A socket
/// that requests reuse of addresses can listen on the port, as the server does.
public final class PortReservation: Sendable {
    /// The port.
    public let port: Int
    private let socket: CInt

    /// Reserves a port of the system's choice.
    public init() throws {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(socket, pointer, length) == 0 && getsockname(socket, pointer, &length) == 0 ? 0 : errno
            }
        }
        self.socket = socket
        port = Int(in_port_t(bigEndian: address.sin_port))
        // This option follows the bind: a socket that requests reuse may receive the port of another one that does.
        var reuse: CInt = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<CInt>.size))
        // An error from here on closes the socket, because it destroys the object.
        if code != 0 { throw IOError(errnoCode: code, reason: "bind") }
    }

    deinit { close(socket) }
}
