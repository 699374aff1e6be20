import Glibc
import TestSupport

/// A server that never reads or writes, at a Unix socket and at a TCP port. The kernel accepts its connections.
final class SilentListener: Sendable {
    /// The port on the loopback address.
    let port: Int
    private let reservation: PortReservation
    private let listeners: [Int32]

    /// Listens at a path and at a free port.
    init(_ path: String) throws {
        reservation = try PortReservation()
        port = reservation.port
        let local = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let network = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        listeners = [local, network]
        for listener in listeners { _ = fcntl(listener, F_SETFD, FD_CLOEXEC) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { bytes in
            for (index, byte) in path.utf8.prefix(bytes.count - 1).enumerated() { bytes[index] = byte }
        }
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(local, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        var reuse: CInt = 1
        setsockopt(network, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<CInt>.size))
        var internet = sockaddr_in()
        internet.sin_family = sa_family_t(AF_INET)
        internet.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        internet.sin_port = in_port_t(port).bigEndian
        let hasPort = withUnsafePointer(to: &internet) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(network, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isBound, hasPort, listeners.allSatisfy({ listen($0, 64) == 0 }) else {
            throw WaitTimeout(what: "listening at '\(path)'", timeout: .zero, detail: String(cString: strerror(errno)))
        }
    }

    /// Whether a client has connected.
    var isWaitedFor: Bool {
        var polled = listeners.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        return poll(&polled, nfds_t(polled.count), 0) > 0
    }

    deinit { for listener in listeners { close(listener) } }
}
