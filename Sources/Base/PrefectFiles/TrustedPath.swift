internal import Glibc

/// Checks whether a path is safe from the other users of the host.
package enum TrustedPath {
    /// The reason why users other than root and this process's user can change or replace the entry at a path; `nil`
    /// when nobody else can. Every part of the path counts, and so does every link on the way.
    /// - Parameter path: An absolute path to a directory.
    package static func problem(of path: String) -> String? {
        var rest = path.split(separator: "/").map(String.init)
        var current = ""
        var links = 0
        if let problem = problem(ofPart: "/", isLast: rest.isEmpty) { return problem }
        while !rest.isEmpty {
            let name = rest.removeFirst()
            if name == "." { continue }
            if name == ".." {
                current = current.split(separator: "/").dropLast().map { "/\($0)" }.joined()
                continue
            }
            let part = "\(current)/\(name)"
            if let problem = problem(ofPart: part, isLast: rest.isEmpty) { return problem }
            guard let target = target(ofLink: part) else {
                current = part
                continue
            }
            links += 1
            guard links <= mostLinks else { return "'\(path)' leads through too many links" }
            if target.hasPrefix("/") { current = "" }
            rest = target.split(separator: "/").map(String.init) + rest
        }
        return nil
    }

    private static let mostLinks = 40

    private static func problem(ofPart part: String, isLast: Bool) -> String? {
        var status = stat()
        guard lstat(part, &status) == 0 else { return "'\(part)' cannot be inspected: \(systemMessage(errno))" }
        guard status.st_uid == 0 || status.st_uid == geteuid() else {
            return "'\(part)' belongs to user \(status.st_uid), not to root or the worker's user"
        }
        // A link has no permissions of its own.
        if status.st_mode & S_IFMT == S_IFLNK { return nil }
        guard status.st_mode & S_IFMT == S_IFDIR else { return "'\(part)' is not a directory" }
        let isShared = status.st_mode & 0o022 != 0
        // In a sticky directory, nobody can replace another user's entry, but everybody can create a missing one.
        guard isShared, isLast || status.st_mode & mode_t(S_ISVTX) == 0 else { return nil }
        return "'\(part)' is writable by \(status.st_mode & 0o002 != 0 ? "every user" : "its group")"
    }

    private static func target(ofLink path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &buffer, buffer.count)
        return count < 0 ? nil : String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
