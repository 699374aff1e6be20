internal import CLinux
internal import Glibc

/// Files in places that other programs can write to, such as the directory of a flow run. Another program may replace
/// such a file. Even then, opening it neither blocks nor follows a link, and only a regular file is opened.
package enum RegularFile {
    /// Opens a file below a directory; `nil` with `errno` set when there is none. The directory's own path may contain
    /// links. Only its owner may use a file that is created.
    /// - Parameter path: A relative path. No part of it may be a link.
    package static func open(_ path: String, below directory: String, _ flags: Int32) -> Descriptor? {
        guard let parent = Directory.open(directory) else { return nil }
        return Descriptor(owning: clinux_open_regular(parent.raw, path, flags, 0o600))
    }

    /// The first bytes of a file below a directory, at most `limit`; `nil` when it cannot be read.
    package static func read(_ path: String, below directory: String, limit: Int) -> [UInt8]? {
        open(path, below: directory, O_RDONLY).flatMap { readBytes($0, limit: limit) }
    }

    /// Replaces an earlier file atomically by one with these bytes; `false` when it could not be written.
    @discardableResult
    package static func replace(_ name: String, below directory: String, with bytes: [UInt8]) -> Bool {
        guard let parent = Directory.open(directory) else { return false }
        let fresh = "\(name).new"
        unlinkat(parent.raw, fresh, 0)
        let flags = O_WRONLY | O_CREAT | O_EXCL
        guard let file = Descriptor(owning: clinux_open_regular(parent.raw, fresh, flags, 0o600)) else { return false }
        guard writeBytes(bytes, to: file), renameat(parent.raw, fresh, parent.raw, name) == 0 else {
            unlinkat(parent.raw, fresh, 0)
            return false
        }
        return true
    }
}

/// Directories in places that other programs can write to.
package enum Directory {
    /// Creates a directory and its missing parents, which only this user may use. Returns `false`, with `errno` set,
    /// when there is no such directory afterwards.
    @discardableResult
    package static func create(_ path: String) -> Bool {
        var prefix = path.utf8.first == UInt8(ascii: "/") ? "/" : ""
        var failure: Int32 = 0
        for component in path.split(separator: "/") {
            prefix += component
            if mkdir(prefix, 0o700) != 0, errno != EEXIST, failure == 0 { failure = errno }
            prefix += "/"
        }
        if isDirectory(path) { return true }
        errno = failure == 0 ? ENOTDIR : failure
        return false
    }

    /// Whether a path is a directory, no link, that belongs to this user and that no other user may enter.
    package static func isPrivate(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR && status.st_uid == getuid()
            && status.st_mode & 0o077 == 0
    }

    /// Opens a directory; links in its path are followed.
    package static func open(_ path: String) -> Descriptor? {
        Descriptor(owning: Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
    }

    /// Opens a directory below another one. The path must not contain links or lead into another mount.
    package static func open(_ path: String, below directory: String) -> Descriptor? {
        guard let parent = open(directory) else { return nil }
        return Descriptor(owning: clinux_open_directory(parent.raw, path))
    }
}

/// The first bytes of an open file, at most `limit`; `nil` when it cannot be read.
package func readBytes(_ descriptor: Descriptor, limit: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: max(1, min(limit, 4096)))
    while bytes.count < limit {
        let count = Glibc.read(descriptor.raw, &chunk, min(chunk.count, limit - bytes.count))
        if count < 0 && errno == EINTR { continue }
        if count < 0 { return nil }
        if count == 0 { break }
        bytes.append(contentsOf: chunk[..<count])
    }
    return bytes
}

/// Writes all bytes to an open file; `false` with `errno` set when it fails.
package func writeBytes(_ bytes: [UInt8], to descriptor: Descriptor) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { Glibc.write(descriptor.raw, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return false }
        rest = rest.dropFirst(count)
    }
    return true
}
