internal import BackendKit
internal import CLinux
internal import Glibc
internal import PrefectFiles

/// A child of this process that has just been started.
struct LaunchedChild: Sendable {
    let pid: pid_t
    let startTime: UInt64
    let descriptor: Descriptor

    /// Ends the process alone, at once.
    func kill() { _ = clinux_pidfd_signal(descriptor.raw, SIGKILL, 0) }
}

/// Starts processes without a shell. Each process leads its own session, blocks no signal, and inherits only the values
/// that the request names.
enum Launcher {
    /// The description of a process to start.
    struct Request {
        var executable: String
        var arguments: [String]
        var environment: [String: String]
        var directory: String
        /// `nil` stands for `/dev/null`.
        var output: Descriptor?
        var errors: Descriptor?
        /// The path of a file that the process creates just before it loads its program.
        var mark: String?
        /// The descriptor 3 of the process.
        var channel: Descriptor?
    }

    /// Starts a process and returns once it has loaded its program.
    static func spawn(_ request: Request) throws(InfrastructureError) -> LaunchedChild {
        guard let null = Descriptor(owning: open("/dev/null", O_RDWR | O_CLOEXEC)) else {
            throw InfrastructureError(.unavailable, "/dev/null cannot be opened: \(systemMessage(errno))")
        }
        let environment = request.environment.map { $0.key + "=" + $0.value }
        var pid: pid_t = 0
        let error = withCStrings(request.arguments) { arguments in
            withCStrings(environment) { variables in
                request.executable.withCString { executable in
                    request.directory.withCString { directory in
                        var raw = clinux_request()
                        raw.executable = executable
                        raw.arguments = arguments
                        raw.environment = variables
                        raw.directory = directory
                        raw.descriptors = (
                            null.raw, (request.output ?? null).raw, (request.errors ?? null).raw,
                            request.channel?.raw ?? -1
                        )
                        guard let mark = request.mark else { return clinux_launch(&raw, &pid) }
                        return mark.withCString { mark in
                            raw.mark = mark
                            return clinux_launch(&raw, &pid)
                        }
                    }
                }
            }
        }
        guard error == 0 else { throw failure(request, error) }
        return try child(pid)
    }

    /// Describes a child of this process that nobody has reaped, so that its pid still identifies it. A child that
    /// cannot be watched is killed.
    static func child(_ pid: pid_t) throws(InfrastructureError) -> LaunchedChild {
        guard let descriptor = Descriptor(owning: clinux_pidfd_open(pid)), let facts = ProcessFacts(pid: pid) else {
            let error = errno
            kill(-pid, SIGKILL)
            waitpid(pid, nil, 0)
            throw InfrastructureError(
                .unavailable, "The process could not be watched: \(systemMessage(error)); raise the limit of open files"
            )
        }
        return LaunchedChild(pid: pid, startTime: facts.startTime, descriptor: descriptor)
    }

    /// Refuses an environment that cannot be passed to a process. The error names the variable.
    static func validate(_ environment: [String: String]) throws(InfrastructureError) {
        for (name, value) in environment {
            if name.isEmpty || name.utf8.contains(UInt8(ascii: "=")) || name.utf8.contains(0) {
                let shown = name.replacing(0)
                throw InfrastructureError(
                    .refused, "'\(shown)' cannot be the name of an environment variable; correct the job's env")
            }
            if value.utf8.contains(0) {
                throw InfrastructureError(
                    .refused, "The environment variable '\(name)' holds a NUL character; remove it from the job's env")
            }
        }
    }

    private static func failure(_ request: Request, _ error: Int32) -> InfrastructureError {
        let command = request.arguments.first ?? request.executable
        switch error {
        case ENOENT, ENOTDIR:
            return InfrastructureError(
                .refused,
                "The command '\(command)' could not be started: the interpreter named in its first line does not exist",
                exitCode: 127)
        case ENOEXEC:
            return InfrastructureError(
                .refused,
                "The command '\(command)' is neither a program for this machine nor a script whose first line "
                    + "names its interpreter",
                exitCode: 126)
        case EACCES, EPERM:
            return InfrastructureError(
                .refused,
                "The command '\(command)' could not be started: \(systemMessage(error)); check its permissions",
                exitCode: 126)
        case E2BIG:
            return InfrastructureError(
                .refused, "The job's command and environment are larger than the system allows; make its env smaller")
        default:
            return InfrastructureError(
                .unavailable, "The command '\(command)' could not be started now: \(systemMessage(error))")
        }
    }

    private static func withCStrings<Result>(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>?) -> Result
    ) -> Result {
        // All strings share one block, because there may be hundreds of them.
        var bytes: [CChar] = []
        var offsets: [Int] = []
        for string in strings {
            offsets.append(bytes.count)
            bytes.append(contentsOf: string.utf8CString)
        }
        return bytes.withUnsafeMutableBufferPointer { buffer in
            let pointers = offsets.map { offset in buffer.baseAddress.map { $0 + offset } } + [nil]
            return pointers.withUnsafeBufferPointer { body($0.baseAddress) }
        }
    }
}

extension String {
    /// The string without a byte such as NUL, for messages.
    fileprivate func replacing(_ byte: UInt8) -> String {
        String(decoding: utf8.filter { $0 != byte }, as: UTF8.self)
    }
}
