import FoundationEssentials
import Glibc

/// A directory for one test, with a path short enough for a Unix socket.
struct TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/http-transport-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw SystemError(operation: "mkdtemp") }
        path = String(cString: made)
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }
}

func writeFile(_ path: String, bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(filePath: path))
}
