internal import CLinux
internal import FoundationEssentials
internal import Glibc
internal import JSON
internal import Threads

/// A program `docker-credential-NAME`, which returns the credentials of a registry.
struct CredentialHelper: Sendable {
    /// The helper could not be run, or gave no usable answer.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let name: String
    let environment: [String: String]
    let limit: Duration

    private static let largestAnswer = 256 << 10
    private var program: String { "docker-credential-\(name)" }

    /// The credentials for a server; `nil` when the helper has none.
    func credentials(for server: String) async throws -> RegistryCredentials? {
        guard !name.isEmpty, name.allSatisfy({ $0.isLetter || $0.isNumber || "-_.".contains($0) }),
            let path = executable()
        else {
            throw Failure(description: "the credential helper '\(program)' is not on the worker's PATH; install it")
        }
        let (status, output) = try await run(path, input: server)
        let json = try? JSONValue(parsing: output)
        guard status == 0, let secret = json?["Secret"]?.stringValue else {
            let text = String(decoding: output.prefix(300), as: UTF8.self)
            if text.contains("credentials not found") { return nil }
            throw Failure(
                description: "the credential helper '\(program)' ended with status \(status)"
                    + (status == 0 ? " and no credentials" : "") + "; try it: echo \(server) | \(program) get")
        }
        let username = json?["Username"]?.stringValue ?? ""
        let isToken = username == "<token>"
        return RegistryCredentials(
            username: isToken ? "" : username, password: isToken ? "" : secret, identityToken: isToken ? secret : nil,
            server: server)
    }

    private func executable() -> String? {
        let path = environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        return path.split(separator: ":").lazy.map { "\($0)/\(program)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Runs the program on a thread of its own, with one line of input, until the program ends or its time limit is
    /// reached.
    private func run(_ path: String, input: String) async throws -> (status: Int, output: [UInt8]) {
        let deadline = ContinuousClock.now + limit
        let result = await onThread("helper") { launch(path, input: input, until: deadline) }
        try Task.checkCancellation()
        guard let result else { throw Failure(description: "the system has no thread left") }
        return try result.get()
    }

    private func launch(
        _ path: String, input: String, until deadline: ContinuousClock.Instant
    ) -> Result<(status: Int, output: [UInt8]), Failure> {
        func failure(_ problem: String) -> Result<(status: Int, output: [UInt8]), Failure> {
            .failure(Failure(description: "the credential helper '\(program)' \(problem)"))
        }
        var toChild: [Int32] = [-1, -1]
        var fromChild: [Int32] = [-1, -1]
        defer { for end in toChild + fromChild where end >= 0 { close(end) } }
        guard pipe(&toChild) == 0, pipe(&fromChild) == 0 else {
            return failure("could not be started: there is no descriptor left")
        }
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(null) }
        var pid: pid_t = 0
        let code = withArguments([path, "get"]) { arguments in
            withArguments(environment.map { "\($0.key)=\($0.value)" }) { variables in
                path.withCString { executable in
                    "/".withCString { directory in
                        var request = clinux_request()
                        request.executable = executable
                        request.arguments = arguments
                        request.environment = variables
                        request.directory = directory
                        request.descriptors = (toChild[0], fromChild[1], null)
                        return clinux_launch(&request, &pid)
                    }
                }
            }
        }
        guard code == 0 else { return failure("could not be started: \(String(cString: strerror(code)))") }
        // The line fits into the pipe's buffer, so that the write does not block.
        let line = Array(input.utf8) + [UInt8(ascii: "\n")]
        _ = line.withUnsafeBytes { Glibc.write(toChild[1], $0.baseAddress, $0.count) }
        close(toChild[1])
        close(fromChild[1])
        (toChild[1], fromChild[1]) = (-1, -1)
        let output = read(fromChild[0], until: deadline)
        // The helper leads a process group of its own, and no process of that group is needed any more.
        kill(-pid, SIGKILL)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        guard let output else { return failure("did not answer within \(limit); see what it waits for") }
        // A signal means that the kill above ended the helper. It had closed its output before, so its answer is
        // complete.
        let signal = status & 0x7f
        return .success((signal == 0 ? Int(status >> 8 & 0xff) : 0, output))
    }

    /// All bytes until the other end is closed; `nil` when that does not happen before the deadline.
    private func read(_ descriptor: Int32, until deadline: ContinuousClock.Instant) -> [UInt8]? {
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while output.count < Self.largestAnswer {
            let left = deadline - ContinuousClock.now
            guard left > .zero else { return nil }
            var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&request, 1, Int32(clamping: Int(left / .milliseconds(1)) + 1))
            if ready <= 0 { continue }
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { break }
            output += chunk[..<count]
        }
        return output
    }
}

/// Calls a body with a null-terminated array of C strings.
private func withArguments<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>?) -> Result
) -> Result {
    let copies = strings.map { strdup($0) } + [nil]
    defer { for copy in copies { free(copy) } }
    return copies.withUnsafeBufferPointer { body($0.baseAddress) }
}
