internal import CLinux
internal import Glibc
internal import Worker

/// The private directory of one run: where it works unless it is told where, and what it prints.
///
///     work/                    the working directory
///     output/stdout, stderr    what the process printed, until it has been copied
///     progress                 how far that has been copied
struct RunDirectory: Hashable, Sendable {
    let path: String

    var work: String { path + "/work" }
    var output: String { path + "/output" }
    var progress: String { path + "/progress" }

    /// A directory that exists already.
    init(existing path: String) {
        self.path = path
    }

    /// Makes a fresh one under a root, which is made as well when it is missing.
    static func created(under root: String, flowRunID: String) throws(InfrastructureError) -> RunDirectory {
        guard let unique = randomHexadecimal(bytes: 6) else { throw failure(root, EIO) }
        let readable = String(flowRunID.filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }.prefix(64))
        let directory = RunDirectory(existing: "\(root)/\(namePrefix)\(readable)-\(unique)")
        makeRoot(root)
        for path in [directory.path, directory.work, directory.output] {
            // A name that exists is never taken over: somebody else may own it.
            if mkdir(path, 0o700) != 0 {
                let error = errno
                directory.remove()
                throw failure(root, error)
            }
        }
        return directory
    }

    private static func makeRoot(_ root: String) {
        var prefix = ""
        for component in root.split(separator: "/", omittingEmptySubsequences: true) {
            prefix += (prefix.isEmpty && root.utf8.first != UInt8(ascii: "/") ? "" : "/") + component
            mkdir(prefix, 0o700)
        }
    }

    private static func failure(_ root: String, _ error: Int32) -> InfrastructureError {
        InfrastructureError(
            .unavailable,
            "No directory for the run can be made in '\(root)': \(systemMessage(error)); free space or set another place"
        )
    }

    /// Opens a new file for output that other processes append to.
    func createOutput(_ name: String) throws(InfrastructureError) -> Descriptor {
        let file = output + "/" + name
        guard let descriptor = Descriptor(owning: open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)) else {
            throw Self.failure(path, errno)
        }
        return descriptor
    }

    /// Writes a file that only the worker's user may read, and returns its path.
    func write(_ name: String, _ bytes: [UInt8]) throws(InfrastructureError) -> String {
        let file = path + "/" + name
        guard let descriptor = Descriptor(owning: open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)) else {
            throw Self.failure(path, errno)
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor.raw, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure(path, errno) }
            rest = rest.dropFirst(count)
        }
        return file
    }

    /// Whether it is there.
    var exists: Bool {
        var status = stat()
        return lstat(work, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether it is one that a worker of this user has made.
    var isOurs: Bool {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid() else {
            return false
        }
        return path.split(separator: "/").last?.hasPrefix(Self.namePrefix) == true
    }

    private static let namePrefix = "prefect-run-"

    /// Removes the directory with everything in it; what cannot be removed stays.
    func remove() {
        Self.removeTree(Array(path.utf8CString))
    }

    /// Takes names as bytes, since they need not be UTF-8; never follows a link.
    private static func removeTree(_ path: [CChar]) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            unlink(path)
            return
        }
        if rmdir(path) == 0 { return }
        // Some tools make their folders read-only.
        if status.st_mode & 0o700 != 0o700 { chmod(path, 0o700) }
        if let directory = opendir(path) {
            var names: [[CChar]] = []
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    bytes.prefix(while: { $0 != 0 }).map { CChar(bitPattern: $0) }
                }
                let dot = CChar(UInt8(ascii: "."))
                if name != [dot], name != [dot, dot] { names.append(name) }
            }
            closedir(directory)
            for name in names { removeTree(path.dropLast() + [CChar(UInt8(ascii: "/"))] + name + [0]) }
        }
        rmdir(path)
    }
}
