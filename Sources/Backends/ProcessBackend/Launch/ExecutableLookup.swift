internal import BackendKit
internal import Glibc
internal import PrefectFiles

/// Finds the file that a command's first word names, so that a problem with it is known before a process starts.
enum ExecutableLookup {
    /// Returns the absolute path of an executable. A name without a slash is looked up on `path`. A name with a slash
    /// is relative to `directory`.
    static func resolve(_ command: String, path: String?, directory: String) throws(InfrastructureError) -> String {
        if command.utf8.contains(UInt8(ascii: "/")) {
            let file = absolute(command, in: directory)
            switch SearchPath.inspect(file) {
            case .executable: return file
            case .missing:
                throw InfrastructureError(
                    .refused, "The command '\(command)' does not exist; correct the command of the job", exitCode: 127)
            case .unusable(let why): throw notExecutable(command, why)
            }
        }
        // Without a PATH, the default of the C library applies, as in a shell.
        let directories = (path ?? "/bin:/usr/bin").split(separator: ":", omittingEmptySubsequences: false)
        var unusable: (String, String)?
        for place in directories {
            let file = absolute((place.isEmpty ? "." : place) + "/" + command, in: directory)
            switch SearchPath.inspect(file) {
            case .executable: return file
            case .missing: continue
            case .unusable(let why): unusable = unusable ?? (file, why)
            }
        }
        if let (file, why) = unusable { throw notExecutable(file, why) }
        throw InfrastructureError(
            .refused,
            "The command '\(command)' was not found on the job's PATH; install it on the worker's host or give its path",
            exitCode: 127)
    }

    private static func notExecutable(_ file: String, _ why: String) -> InfrastructureError {
        InfrastructureError(
            .refused, "The command '\(file)' cannot be executed: \(why); correct the file's permissions or the command",
            exitCode: 126)
    }

    private static func absolute(_ file: String, in directory: String) -> String {
        if file.utf8.first == UInt8(ascii: "/") { return file }
        return directory + "/" + (file.hasPrefix("./") ? String(file.dropFirst(2)) : file)
    }
}
