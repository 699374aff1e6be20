import Glibc
import Synchronization

package struct SystemError: Error, CustomStringConvertible {
    package let operation: String
    package let code: Int32

    package init(operation: String) {
        self.operation = operation
        code = errno
    }

    package var description: String { "\(operation): \(String(cString: strerror(code)))" }
}

package enum Sockets {
    private static let spawning = Mutex(())

    /// Starts a child while no connection is being accepted. Otherwise the child could inherit a new connection, which
    /// would then never close.
    package static func withoutAccepting<Result: ~Copyable>(_ spawn: () -> sending Result) -> Result {
        spawning.withLock { _ in spawn() }
    }

    /// The next connection, which children do not inherit; nil when the listener was shut down.
    package static func accept(from listener: Int32) -> Int32? {
        while true {
            var waiting = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, -1) == 1, waiting.revents & Int16(POLLIN) != 0 else { return nil }
            let descriptor = spawning.withLock { _ in
                let descriptor = Glibc.accept(listener, nil, nil)
                if descriptor >= 0 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
                return descriptor
            }
            if descriptor >= 0 { return descriptor }
            guard errno == EAGAIN || errno == ECONNABORTED else { return nil }
        }
    }

    private static let listening = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)

    package static func listenOnLoopback() throws -> (descriptor: Int32, port: Int) {
        let (descriptor, port) = try bindToLoopback()
        guard Glibc.listen(descriptor, 128) == 0 else { throw SystemError(operation: "listen") }
        return (descriptor, port)
    }

    private static func bindToLoopback() throws -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, listening, 0)
        guard descriptor >= 0 else { throw SystemError(operation: "socket") }
        var address = loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) == 0 && getsockname(descriptor, pointer, &length) == 0
            }
        }
        guard bound else { throw SystemError(operation: "bind") }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }

    package static func listen(unixSocketPath path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, listening, 0)
        guard descriptor >= 0 else { throw SystemError(operation: "socket") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
                    && Glibc.listen(descriptor, 128) == 0
            }
        }
        guard bound else { throw SystemError(operation: "listen") }
        return descriptor
    }

    /// A port without a listener. It stays bound until the process ends, so that no other test gets it.
    package static func closedPort() throws -> Int {
        let (descriptor, port) = try bindToLoopback()
        // nghttpd sets SO_REUSEADDR too, and may therefore listen on this port.
        var isOn: Int32 = 1
        guard setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
            throw SystemError(operation: "setsockopt")
        }
        return port
    }

    package static func connectToLoopback(port: Int, blocking: Bool = true) -> Int32? {
        let mode = blocking ? 0 : SOCK_NONBLOCK.rawValue
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | mode), 0)
        guard descriptor >= 0 else { return nil }
        var address = loopback(port: port)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                connect(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if connected || (!blocking && errno == EINPROGRESS) { return descriptor }
        close(descriptor)
        return nil
    }

    /// The peer's port of a TCP connection; nil for any other descriptor.
    package static func peerPort(of descriptor: Int32) -> Int? {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let found = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) == 0 }
        }
        guard found, address.sin_family == sa_family_t(AF_INET) else { return nil }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }
}

/// Runs blocking code on a thread outside the cooperative pool.
package func startThread(_ body: @escaping @Sendable () -> Void) {
    final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(body))
    let code = pthread_create(
        &thread, nil,
        { context in
            if let context { Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body() }
            return nil
        }, box.toOpaque())
    if code == 0 { pthread_detach(thread) } else { box.release() }
}
