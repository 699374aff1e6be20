internal import Glibc
internal import PrefectFiles
internal import Synchronization

/// The directory where one worker stores the data that it needs after a restart: the ledger and its runs' directories.
///
/// A lock on the file `lock` reserves the directory for one process. The system releases the lock when that process
/// ends, in whichever way.
package final class StateDirectory: Sendable {
    /// The path, absolute or relative to the working directory.
    package let path: String
    private let descriptor: Descriptor

    /// Why the worker cannot use a directory.
    package enum Problem: Error, Hashable, CustomStringConvertible {
        /// Another process holds it.
        case inUse(path: String, by: String)
        /// It cannot be created or written.
        case unusable(path: String, cause: String)

        package var description: String {
            switch self {
            case .inUse(let path, let holder):
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

    /// Takes a directory, and creates it when it is missing. Other processes that request it report `holder` as its
    /// owner.
    package static func take(_ path: String, for holder: String) throws(Problem) -> StateDirectory {
        Directory.create(path)
        guard let descriptor = RegularFile.open("lock", below: path, O_RDWR | O_CREAT) else {
            throw .unusable(path: path, cause: systemMessage(errno))
        }
        guard flock(descriptor.raw, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            guard code == EWOULDBLOCK else { throw .unusable(path: path, cause: systemMessage(code)) }
            throw .inUse(path: path, by: readHolder(descriptor))
        }
        let bytes = Array(holder.utf8)
        if ftruncate(descriptor.raw, 0) != 0 || pwrite(descriptor.raw, bytes, bytes.count, 0) != bytes.count {
            // The lock alone decides. Without space for the name, other processes report a less exact owner.
        }
        return StateDirectory(path: path, descriptor: descriptor)
    }

    /// Takes the first directory of `path`, `path.2`, `path.3`, … that no other process holds. Several workers of a
    /// host may serve one pool, and each finds the directory of a worker that has ended.
    package static func takeFree(_ path: String, for holder: String) throws(Problem) -> StateDirectory {
        for number in 1...1000 {
            do {
                return try take(number == 1 ? path : "\(path).\(number)", for: holder)
            } catch .inUse {
                continue
            }
        }
        throw .unusable(path: path, cause: "a thousand workers use it")
    }

    /// The unique part of the worker's name. It is generated once and stored in the directory, so that the API
    /// recognises a worker after a restart.
    package func workerName(orElse makeUp: () -> String) -> String {
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
}
