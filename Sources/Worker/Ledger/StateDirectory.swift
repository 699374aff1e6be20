internal import Files
internal import Glibc
internal import Synchronization

/// The directory where one worker keeps what it must find again after a restart: the ledger and the runs' own folders.
///
/// A lock on the file `lock` says whose it is; the system takes it away when that process ends, however it does.
public final class StateDirectory: Sendable {
    /// Where it is, as an absolute path or relative to the working directory.
    public let path: String
    private let descriptor: Descriptor

    /// Why a directory cannot be had.
    public enum Problem: Error, Hashable, CustomStringConvertible {
        /// Another process has it.
        case held(path: String, by: String)
        /// It cannot be made or written.
        case unusable(path: String, cause: String)

        public var description: String {
            switch self {
            case .held(let path, let holder):
                "The state directory '\(path)' belongs to \(holder); end that worker or give this one another --state-dir"
            case .unusable(let path, let cause):
                "The state directory '\(path)' cannot be used: \(cause)"
            }
        }
    }

    private init(path: String, descriptor: Descriptor) {
        self.path = path
        self.descriptor = descriptor
    }

    /// Takes a directory, which is made when it is missing; `holder` is what others are told who want it, too.
    public static func take(_ path: String, for holder: String) throws(Problem) -> StateDirectory {
        makeDirectory(path)
        guard let descriptor = RegularFile.open("lock", below: path, O_RDWR | O_CREAT) else {
            throw .unusable(path: path, cause: systemMessage(errno))
        }
        guard flock(descriptor.raw, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            guard code == EWOULDBLOCK else { throw .unusable(path: path, cause: systemMessage(code)) }
            throw .held(path: path, by: readHolder(descriptor))
        }
        let bytes = Array(holder.utf8)
        if ftruncate(descriptor.raw, 0) != 0 || pwrite(descriptor.raw, bytes, bytes.count, 0) != bytes.count {
            // The lock is what counts; without room for a name, others are told less.
        }
        return StateDirectory(path: path, descriptor: descriptor)
    }

    /// Takes the first directory that no other process has, of `path`, `path.2`, `path.3`, …: several workers of a host
    /// may serve one pool, and each finds the directory of one that is gone.
    public static func takeFree(_ path: String, for holder: String) throws(Problem) -> StateDirectory {
        for number in 1...1000 {
            do {
                return try take(number == 1 ? path : "\(path).\(number)", for: holder)
            } catch .held {
                continue
            }
        }
        throw .unusable(path: path, cause: "a thousand workers use it")
    }

    /// The unique part of its worker's name: made up once, and kept in the directory, so that the API knows a worker again
    /// that starts again.
    public func workerName(orElse makeUp: () -> String) -> String {
        let kept = RegularFile.read("worker-name", below: path, limit: 200).map { String(decoding: $0, as: UTF8.self) }
        let isName: (Character) -> Bool = { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
        if let kept, !kept.isEmpty, kept.allSatisfy(isName) { return kept }
        let name = makeUp()
        RegularFile.replace("worker-name", below: path, with: Array(name.utf8))
        return name
    }

    private static func readHolder(_ descriptor: Descriptor) -> String {
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = pread(descriptor.raw, &bytes, bytes.count, 0)
        let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).filter { !$0.isNewline }
        return text.isEmpty ? "another worker" : text
    }

    private static func makeDirectory(_ path: String) {
        var prefix = path.utf8.first == UInt8(ascii: "/") ? "/" : ""
        for component in path.split(separator: "/") {
            prefix += component
            mkdir(prefix, 0o700)
            prefix += "/"
        }
    }
}
