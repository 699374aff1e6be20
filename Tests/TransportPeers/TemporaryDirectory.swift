import FoundationEssentials
import Glibc

/// A directory for one test, with a path short enough for a Unix socket.
package struct TemporaryDirectory {
    package let path: String

    package init() throws {
        var template = Array("/tmp/http-transport-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw SystemError(operation: "mkdtemp") }
        path = String(cString: made)
    }

    package func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }
}

package func writeFile(_ path: String, bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(filePath: path))
}
