import FoundationEssentials
import Glibc
import PrefectFiles

/// The way to a worker's control socket, a regular file `control` in its state directory.
///
/// The socket itself has no name. A flow whose code is copied from a directory above the state directory could not be
/// copied with a socket. The file has the process id and a descriptor of the worker, by which `/proc` leads to the
/// socket. Only the user of the worker, and root, may follow that way.
struct ControlSocket: Sendable {
    /// The path of the file, for messages.
    let path: String
    /// The path to connect to.
    let address: String
    private static let name = "control"

    /// Why there is no way to a socket.
    struct Problem: Error, CustomStringConvertible {
        let code = errno

        /// Whether there is none, since no worker uses the state directory.
        var isAbsence: Bool { code == ENOENT || code == ENOTDIR }
        var description: String { systemMessage(code) }
    }

    static func path(in stateDirectory: String) -> String { "\(stateDirectory)/\(name)" }

    /// Reads the way to the socket of the worker that uses, or has used, a state directory.
    init(in stateDirectory: String) throws(Problem) {
        path = Self.path(in: stateDirectory)
        guard let bytes = RegularFile.read(Self.name, below: stateDirectory, limit: 64) else { throw Problem() }
        let numbers = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
            .compactMap { Int32($0) }
        guard numbers.count == 2 else {
            errno = ENOENT
            throw Problem()
        }
        address = "/proc/\(numbers[0])/fd/\(numbers[1])"
    }

    /// A new socket of this process.
    struct Maker: Sendable {
        /// The path to bind. The socket has it only until ``publish()``.
        let address: String
        /// The path of the file, for messages.
        let path: String
        private let stateDirectory: String
        private let directory: Descriptor
        private static let directoryName = "control.new"
        private static let socketName = "socket"
        /// `O_PATH`, which is not imported into Swift.
        private static let pathOnly: Int32 = 0o10_000_000

        /// Makes a directory for the socket that only this user may use. So nobody else can connect before the socket
        /// has its mode.
        init(in stateDirectory: String) throws(Problem) {
            self.stateDirectory = stateDirectory
            path = ControlSocket.path(in: stateDirectory)
            Directory.create("\(stateDirectory)/\(Self.directoryName)")
            guard let directory = Directory.open(Self.directoryName, below: stateDirectory),
                fchmod(directory.raw, 0o700) == 0
            else { throw Problem() }
            self.directory = directory
            // The address of a socket has 107 bytes at most, and a state directory may have a longer path.
            address = "/proc/self/fd/\(directory.raw)/\(Self.socketName)"
        }

        /// Removes the path of the bound socket, and lets others find the socket as long as the result exists.
        func publish() throws(Problem) -> Descriptor {
            let flags = Self.pathOnly | O_NOFOLLOW | O_CLOEXEC
            guard let socket = Descriptor(owning: openat(directory.raw, Self.socketName, flags)) else {
                throw Problem()
            }
            unlinkat(directory.raw, Self.socketName, 0)
            rmdir("\(stateDirectory)/\(Self.directoryName)")
            let way = Array("\(getpid()) \(socket.raw)\n".utf8)
            guard RegularFile.replace(ControlSocket.name, below: stateDirectory, with: way) else { throw Problem() }
            return socket
        }

        /// Removes the way to the socket.
        func remove() { unlink(path) }
    }
}
