internal import Glibc

/// The search for programs on a `PATH`.
package enum SearchPath {
    /// A file as a program.
    package enum Program: Sendable, Hashable {
        case executable
        case missing
        /// The file exists, or may exist, but cannot be executed for this reason.
        case unusable(String)
    }

    /// Whether this process may execute the file at a path.
    package static func inspect(_ file: String) -> Program {
        guard let status = fileStatus(file) else {
            return errno == EACCES ? .unusable("the worker may not search a directory of its path") : .missing
        }
        if status.st_mode & S_IFMT == S_IFDIR { return .unusable("it is a directory") }
        guard access(file, X_OK) == 0 else { return .unusable("the worker may not execute it") }
        return .executable
    }

    /// The first executable file with one of these names; an earlier name takes precedence. Empty entries of the path
    /// are ignored.
    package static func executable(_ names: String..., on path: String) -> String? {
        let directories = path.split(separator: ":")
        return names.lazy.flatMap { name in directories.map { "\($0)/\(name)" } }
            .first { inspect($0) == .executable }
    }
}
