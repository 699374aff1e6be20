import Glibc
import PrefectFiles

/// The place of a worker's control socket, a directory of its own in the state directory.
///
/// Only the user of the worker, and root, may use the directory. So nobody else can connect, also not before the socket
/// has its mode.
struct ControlSocket: Sendable {
    /// The path for messages.
    let path: String
    private let directory: Descriptor
    private static let directoryName = "control"
    private static let socketName = "socket"

    /// Why the place cannot be used.
    struct Problem: Error, CustomStringConvertible {
        let code = errno

        /// Whether there is no place, since no worker has used the state directory.
        var isAbsence: Bool { code == ENOENT || code == ENOTDIR }
        var description: String { systemMessage(code) }
    }

    /// Opens the place in a state directory. Throws ``Problem`` if it does not exist or may not be used.
    init(in stateDirectory: String) throws(Problem) {
        path = Self.path(in: stateDirectory)
        guard let directory = Directory.open(Self.directoryName, below: stateDirectory) else { throw Problem() }
        self.directory = directory
    }

    /// Opens the place in a state directory of this user, and creates it if necessary.
    init(creatingIn stateDirectory: String) throws(Problem) {
        Directory.create("\(stateDirectory)/\(Self.directoryName)")
        try self.init(in: stateDirectory)
        // Only the owner can change the mode, so the directory is not one that another user has prepared.
        guard fchmod(directory.raw, 0o700) == 0 else { throw Problem() }
    }

    static func path(in stateDirectory: String) -> String { "\(stateDirectory)/\(directoryName)/\(socketName)" }

    /// The path to bind and to connect to. The address of a socket has 107 bytes at most, and a state directory may have
    /// a longer path.
    var address: String { "/proc/self/fd/\(directory.raw)/\(Self.socketName)" }

    /// Removes the socket.
    func remove() { unlinkat(directory.raw, Self.socketName, 0) }
}
