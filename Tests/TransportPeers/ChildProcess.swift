import Glibc

/// A program that a test runs as a child process, such as a TLS server.
package final class ChildProcess: Sendable {
    private let identifier: pid_t
    private let output: Int32

    /// Starts a program from the PATH. `waitForLine` reads its output.
    package init(_ arguments: [String]) throws {
        var ends: [Int32] = [0, 0]
        // The ends are close-on-exec, so that a child that another test starts meanwhile does not keep them open.
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw SystemError(operation: "socketpair")
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        defer { for word in words { free(word) } }
        words.append(nil)
        // Threads of the cooperative pool block signals, and the child would inherit that.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var identifier = pid_t()
        let code = Sockets.withoutAccepting {
            posix_spawnp(&identifier, arguments[0], &actions, &attributes, &words, environ)
        }
        close(ends[1])
        guard code == 0 else {
            close(ends[0])
            throw SystemError(operation: arguments[0])
        }
        self.identifier = identifier
        output = ends[0]
    }

    deinit {
        close(output)
    }

    /// Runs a program until it exits, and returns whether it succeeded.
    package static func run(_ arguments: [String]) -> Bool {
        guard let child = try? ChildProcess(arguments) else { return false }
        while child.readLine() != nil {}
        return child.waitForEnd() == 0
    }

    package static func isInstalled(_ program: String) -> Bool {
        guard let path = getenv("PATH") else { return false }
        return String(cString: path).split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
    }

    /// The first line of output with this prefix; nil if the program ends before that.
    package func waitForLine(beginningWith prefix: String) -> String? {
        while let line = readLine() {
            if line.hasPrefix(prefix) { return line }
        }
        return nil
    }

    private func readLine() -> String? {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while read(output, &byte, 1) == 1 {
            if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
        return line.isEmpty ? nil : String(decoding: line, as: UTF8.self)
    }

    private func waitForEnd() -> Int32 {
        var status: Int32 = -1
        while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
        return status
    }

    package func kill() {
        Glibc.kill(identifier, SIGKILL)
        _ = waitForEnd()
    }
}
