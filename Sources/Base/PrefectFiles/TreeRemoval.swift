internal import CLinux
internal import Glibc

/// Removes directories with everything in them. It handles any depth, any name, and directories that their owner may
/// not read, since a hostile program may have created them. It follows no link and enters no other mount.
///
/// The entries of a subdirectory are moved up, beside it, before the subdirectory is removed. So the work needs two
/// open directories and no recursion, however deep the tree is. No path becomes longer than a name.
package struct TreeRemoval: ~Copyable {
    private let top: OpaquePointer
    private let deadline: ContinuousClock.Instant
    private let prefix: String
    private var moves = 0

    /// Removes the file or directory at a path. Entries that cannot be removed stay.
    /// - Parameter limit: The time after which to give up, in case a program creates files as fast as they are removed.
    package static func remove(_ path: String, within limit: Duration = .seconds(600)) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            unlink(path)
            return
        }
        if rmdir(path) == 0 { return }
        _ = clinux_allow_owner(AT_FDCWD, path)
        let opened = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        if opened >= 0, let top = fdopendir(opened) {
            var removal = TreeRemoval(top: top, deadline: .now + limit, prefix: ".removed-\(getpid())-")
            removal.empty()
            closedir(top)
        } else if opened >= 0 {
            close(opened)
        }
        rmdir(path)
    }

    private init(top: OpaquePointer, deadline: ContinuousClock.Instant, prefix: String) {
        self.top = top
        self.deadline = deadline
        self.prefix = prefix
    }

    /// Empties the top directory, to which entries from subdirectories are added meanwhile.
    private mutating func empty() {
        while pass(through: top, { $0.removeOrFlatten($1) }) {}
    }

    /// Applies an action to every entry of a directory. Returns whether any entry changed before the deadline. An entry
    /// that is created or moved meanwhile may be missed, so one pass is not enough.
    private mutating func pass(
        through directory: OpaquePointer, _ act: (inout TreeRemoval, UnsafePointer<CChar>) -> Bool
    ) -> Bool {
        var hasProgressed = false
        rewinddir(directory)
        while .now < deadline, let entry = readdir(directory) {
            let progress = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: name.pointee)) { name in
                    strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && act(&self, name)
                }
            }
            if progress { hasProgressed = true }
        }
        return hasProgressed && .now < deadline
    }

    /// Removes an entry that is not a directory, or an empty directory.
    private func remove(_ name: UnsafePointer<CChar>, in directory: OpaquePointer) -> Bool {
        unlinkat(dirfd(directory), name, 0) == 0 || unlinkat(dirfd(directory), name, AT_REMOVEDIR) == 0
    }

    private mutating func removeOrFlatten(_ name: UnsafePointer<CChar>) -> Bool {
        if remove(name, in: top) { return true }
        _ = clinux_allow_owner(dirfd(top), name)
        let opened = clinux_open_directory(dirfd(top), name)
        guard opened >= 0 else { return false }
        guard let directory = fdopendir(opened) else {
            close(opened)
            return false
        }
        defer { closedir(directory) }
        var hasProgressed = false
        while pass(through: directory, { $0.removeOrMove($1, from: directory) }) { hasProgressed = true }
        return unlinkat(dirfd(top), name, AT_REMOVEDIR) == 0 || hasProgressed
    }

    private mutating func removeOrMove(_ name: UnsafePointer<CChar>, from directory: OpaquePointer) -> Bool {
        if remove(name, in: directory) { return true }
        // A directory can be moved to another parent only if its owner may write to it.
        _ = clinux_allow_owner(dirfd(directory), name)
        // A hostile program may have taken the name already, so more names are tried.
        for _ in 0..<100 {
            moves += 1
            if renameat(dirfd(directory), name, dirfd(top), "\(prefix)\(moves)") == 0 { return true }
            guard [EEXIST, ENOTEMPTY, ENOTDIR].contains(errno) else { return false }
        }
        return false
    }
}
