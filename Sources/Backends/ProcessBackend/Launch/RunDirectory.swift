internal import BackendKit
internal import CLinux
internal import Glibc
internal import PrefectFiles

/// The private directory of one run. It contains the default working directory of the run, and the output of the run.
///
/// The run can write to every part of it, so its content is opened only through `RegularFile` and `Directory`.
///
///     work/                    the working directory
///     output/stdout, stderr    the output of the process, until it has been copied
///     progress                 how far the output has been copied
///     started                  a file that the run's process creates just before it loads its program
struct RunDirectory: Hashable, Sendable {
    let path: String

    var work: String { path + "/work" }
    var output: String { path + "/" + Self.outputName }
    var started: String { path + "/started" }

    /// Refers to a directory that already exists.
    init(existing path: String) {
        self.path = path
    }

    /// Creates a new directory below a root, and the root if it is missing. The name of the directory contains the
    /// maker.
    static func created(
        under root: String, flowRunID: String, maker: String
    ) throws(InfrastructureError) -> RunDirectory {
        guard let unique = randomHexadecimal(bytes: 6) else { throw failure(root, EIO) }
        let directory = RunDirectory(existing: "\(root)/\(name(ofRun: flowRunID))\(maker)\(unique)")
        Directory.create(root)
        for path in [directory.path, directory.work, directory.output] {
            // An existing directory is never used, because another user may own it.
            if mkdir(path, 0o700) != 0 {
                let error = errno
                directory.remove()
                throw failure(root, error)
            }
        }
        return directory
    }

    /// The prefix of the names of a run's directories.
    private static func name(ofRun flowRunID: String) -> String {
        let readable = flowRunID.filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }.prefix(64)
        return "\(namePrefix)\(readable)-"
    }

    /// Returns the directories below a root that workers of this user have made, for one run or for all runs.
    static func all(under root: String, ofRun flowRunID: String? = nil) -> [RunDirectory] {
        let prefix = flowRunID.map(name(ofRun:)) ?? namePrefix
        guard let listing = opendir(root) else { return [] }
        defer { closedir(listing) }
        var found: [RunDirectory] = []
        while let entry = readdir(listing) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix(while: { $0 != 0 }), as: UTF8.self)
            }
            let directory = RunDirectory(existing: "\(root)/\(name)")
            if name.hasPrefix(prefix), directory.isOurs { found.append(directory) }
        }
        return found
    }

    /// The id of the directory's flow run, as far as the name contains it.
    var flowRunID: String? {
        guard let name = path.split(separator: "/").last?.dropFirst(Self.namePrefix.count),
            let end = name.lastIndex(of: "-")
        else { return nil }
        return String(name[..<end])
    }

    /// Returns whether the run's process was ever started. After the answer `false`, the process can no longer start.
    ///
    /// The process creates its mark by the name of the directory. So it creates the mark before the directory loses
    /// that name, or not at all.
    func settleWhetherStarted() -> Bool {
        if isMarked { return true }
        let gone = RunDirectory(existing: path + ".gone")
        guard rename(path, gone.path) == 0 else { return isMarked }
        guard gone.isMarked else {
            gone.remove()
            return false
        }
        return rename(gone.path, path) == 0
    }

    private var isMarked: Bool { access(started, F_OK) == 0 }

    private static func failure(_ root: String, _ error: Int32) -> InfrastructureError {
        InfrastructureError(
            .unavailable,
            "No run directory can be created in '\(root)': \(systemMessage(error)); free space, or set "
                + "another --state-dir or TMPDIR"
        )
    }

    /// Opens a new file for output that other processes append to.
    func createOutput(_ name: String) throws(InfrastructureError) -> Descriptor {
        let file = Self.outputName + "/" + name
        // An existing file is never used, because the run may have created it.
        let flags = O_WRONLY | O_APPEND | O_CREAT | O_EXCL
        guard let descriptor = RegularFile.open(file, below: path, flags) else { throw Self.failure(path, errno) }
        return descriptor
    }

    /// Returns the first bytes of an output file; `nil` when the file does not exist.
    func readOutput(_ name: String, limit: Int) -> [UInt8]? {
        RegularFile.read(Self.outputName + "/" + name, below: path, limit: limit)
    }

    /// Writes a file that only the worker's user may read, and returns its path.
    func write(_ name: String, _ bytes: [UInt8]) throws(InfrastructureError) -> String {
        guard let descriptor = RegularFile.open(name, below: path, O_WRONLY | O_CREAT | O_EXCL),
            writeBytes(bytes, to: descriptor)
        else { throw Self.failure(path, errno) }
        return path + "/" + name
    }

    /// Whether the directory exists.
    var exists: Bool {
        var status = stat()
        return lstat(work, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether the given maker made the directory.
    func isMade(by maker: String) -> Bool { path.split(separator: "-").last?.hasPrefix(maker) == true }

    /// Whether a worker of this user made the directory.
    var isOurs: Bool {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid() else {
            return false
        }
        return path.split(separator: "/").last?.hasPrefix(Self.namePrefix) == true
    }

    /// The name of the directory of output files.
    static let outputName = "output"
    /// The name of the file that records how far the output has been copied.
    static let progressName = "progress"
    private static let namePrefix = "prefect-run-"

    /// Removes the directory with its content. Entries that cannot be removed stay.
    func remove() { TreeRemoval.remove(path) }
}
