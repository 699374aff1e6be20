import Glibc

/// A substitute for a service manager. It receives the messages that a service sends to `NOTIFY_SOCKET`.
final class NotifySocket {
    private let descriptor: Int32

    /// Listens at a path; `nil` when that is not possible.
    init?(_ path: String) {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard descriptor >= 0, path.utf8.count < room else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard isBound == 0 else { return nil }
    }

    deinit { close(descriptor) }

    /// The lines received since the last call.
    func lines() -> [String] {
        var lines: [String] = []
        var bytes = [UInt8](repeating: 0, count: 4096)
        while case let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT)), count > 0 {
            lines += String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: "\n").map(String.init)
        }
        return lines
    }
}
