internal import CLinux
package import Glibc
internal import Notation

/// A file descriptor that is closed when its last reference is released.
package final class Descriptor: Sendable {
    package let raw: Int32

    /// Takes ownership of an open descriptor. Returns `nil` for -1, and `errno` stays unchanged.
    package init?(owning raw: Int32) {
        guard raw >= 0 else { return nil }
        self.raw = raw
    }

    deinit { close(raw) }
}

/// The system's message for an `errno` value.
package func systemMessage(_ error: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard strerror_r(error, &buffer, buffer.count) == 0 else { return "error \(error)" }
    let end = buffer.firstIndex(of: 0) ?? buffer.count
    return String(decoding: buffer[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Random bytes as lower-case hexadecimal digits, two per byte; `nil` when the kernel cannot provide them.
package func randomHexadecimal(bytes count: Int) -> String? {
    var bytes = [UInt8](repeating: 0, count: count)
    guard clinux_random(&bytes, count) == 0 else { return nil }
    return hexadecimal(bytes)
}

/// The status of a file, links followed; `nil` with `errno` set when the file cannot be reached.
package func fileStatus(_ path: String) -> stat? {
    var status = stat()
    return stat(path, &status) == 0 ? status : nil
}

/// Whether there is a directory at a path.
package func isDirectory(_ path: String) -> Bool {
    fileStatus(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
}
