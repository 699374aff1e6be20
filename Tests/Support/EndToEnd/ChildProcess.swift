internal import FoundationEssentials
internal import Glibc
internal import NIOPosix
internal import Synchronization

/// A program that a test runs, with its output lines, signals, and exit status.
///
/// It leads its own process group, so that a test can end its children with it. It starts with default signal handling
/// and an empty signal mask, regardless of the test process.
public final class ChildProcess: Sendable {
    /// How a program ended.
    public enum ExitStatus: Sendable, Hashable, CustomStringConvertible {
        /// By itself.
        case exited(Int32)
        /// By a signal.
        case signalled(Int32)

        public var description: String {
            switch self {
            case .exited(let code): "exit status \(code)"
            case .signalled(let signal): "signal \(signal)"
            }
        }
    }

    /// The signals that a test sends.
    public enum Signal: Sendable, Hashable {
        case terminate
        case interrupt
        case kill
        case hangup
        case quit
        case stop
        case resume

        var number: Int32 {
            switch self {
            case .terminate: SIGTERM
            case .interrupt: SIGINT
            case .kill: SIGKILL
            case .hangup: SIGHUP
            case .quit: SIGQUIT
            case .stop: SIGSTOP
            case .resume: SIGCONT
            }
        }
    }

    /// A line of output.
    public struct Line: Sendable, Hashable, CustomStringConvertible {
        /// The stream of the line.
        public enum Source: Sendable, Hashable {
            case output
            case error
        }

        /// The stream of the line.
        public let source: Source
        /// The line without its end.
        public let text: String

        public var description: String { text }
    }

    private struct State {
        var lines: [Line] = []
        var status: ExitStatus?
        var outputHasEnded = false
        var stopsReading = false
    }

    /// The process id.
    public let processID: Int32
    private let state = Mutex(State())
    private let changes = Changes()
    private let command: String

    fileprivate init(processID: Int32, command: String) {
        self.processID = processID
        self.command = command
    }

    /// All lines so far, of both outputs, in the order in which they were read.
    public var lines: [Line] { state.withLock { $0.lines } }

    /// The lines of standard output so far.
    public var output: [String] { lines.filter { $0.source == .output }.map(\.text) }

    /// The lines of standard error so far.
    public var errors: [String] { lines.filter { $0.source == .error }.map(\.text) }

    /// How the program ended; `nil` while it runs.
    public var exitStatus: ExitStatus? { state.withLock { $0.status } }

    /// Waits for a line, of either output, that contains a text; earlier lines count too.
    @discardableResult
    public func waitForLine(
        containing part: String, timeout: Duration = .seconds(30), isolation: isolated (any Actor)? = #isolation
    ) async throws -> String {
        try await waitForLine("a line with '\(part)'", timeout: timeout) { $0.text.contains(part) }
    }

    /// Waits for a line that matches; earlier lines count too.
    ///
    /// - Throws: ``WaitTimeout`` with the last lines, also when the program ends without such a line.
    @discardableResult
    public func waitForLine(
        _ what: String, timeout: Duration = .seconds(30), isolation: isolated (any Actor)? = #isolation,
        where fits: (Line) -> Bool
    ) async throws -> String {
        let found = try await changes.wait(timeout: timeout) { () -> String?? in
            let state = state.withLock { ($0.lines, $0.status != nil && $0.outputHasEnded) }
            if let line = state.0.first(where: fits) { return line.text }
            return state.1 ? .some(nil) : nil
        }
        if let found, let line = found { return line }
        throw WaitTimeout(what: "\(command) writes \(what)", timeout: timeout, detail: summary)
    }

    /// Waits until the program has ended and its output has been read.
    @discardableResult
    public func waitForExit(timeout: Duration = .seconds(30), isolation: isolated (any Actor)? = #isolation)
        async throws -> ExitStatus
    {
        let found = try await changes.wait(timeout: timeout) {
            state.withLock { $0.outputHasEnded ? $0.status : nil }
        }
        guard let found else { throw WaitTimeout(what: "\(command) ends", timeout: timeout, detail: summary) }
        return found
    }

    /// Sends a signal to the program alone; has no effect after the program has ended.
    public func send(_ signal: Signal) {
        state.withLock { state in
            // Under the lock, because the system may otherwise have assigned the id to another process.
            if state.status == nil { _ = Glibc.kill(processID, signal.number) }
        }
    }

    /// Sends a signal to the program and to all of its children in its process group.
    public func sendToGroup(_ signal: Signal) { _ = killpg(processID, signal.number) }

    /// The current state, with the last lines, for messages.
    public var summary: String {
        let last = lines.suffix(15).map { "  \($0.text)" }.joined(separator: "\n")
        let status = exitStatus.map { "ended with \($0)" } ?? "runs"
        return "it \(status)\(last.isEmpty ? " and wrote nothing" : "; its last lines are\n\(last)")"
    }
}

/// Runs a program during `body`, and kills all processes of its process group afterwards.
///
/// - Parameters:
///   - executable: The program's path, or a name to search for in `PATH`.
///   - arguments: The arguments, without the program's name.
///   - environment: The whole environment; `nil` means the environment of the test.
///   - extraEnvironment: Additional variables; a value of `nil` removes the variable.
///   - workingDirectory: The working directory; `nil` means that of the test. A program that cannot be started there
///     ends with status 126 or 127 instead of an error.
///   - body: The test's part.
public func withChildProcess<Result>(
    _ executable: String, _ arguments: [String] = [], environment: [String: String]? = nil,
    extraEnvironment: [String: String?] = [:], workingDirectory: String? = nil,
    isolation: isolated (any Actor)? = #isolation, _ body: (ChildProcess) async throws -> Result
) async throws -> Result {
    var variables = environment ?? ProcessInfo.processInfo.environment
    for (name, value) in extraEnvironment { variables[name] = value }
    let (child, reading) = try ChildProcess.spawn(executable, arguments, variables, workingDirectory)
    do {
        let result = try await body(child)
        await child.end(reading)
        return result
    } catch {
        await child.end(reading)
        throw error
    }
}

extension ChildProcess {
    /// The program could not be started.
    public struct StartFailure: Error, CustomStringConvertible {
        /// The program that could not be started.
        public let command: String
        /// The system's error.
        public let code: Int32

        public var description: String { "\(command) cannot be started: \(String(cString: strerror(code)))" }
    }

    /// Two threads: one waits for the process and one reads its output. Both end when the process and the reading end.
    fileprivate struct Reading {
        let pool: NIOThreadPool
        let waiter: Task<Void, Never>
        let reader: Task<Void, Never>
    }

    private static let spawning = Mutex(())

    /// The function `posix_spawn_file_actions_addclosefrom_np`, which Swift cannot import from the C library either.
    private static let closeFrom = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np").map {
        unsafeBitCast(
            $0, to: (@convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, CInt) -> CInt).self)
    }

    fileprivate func end(_ reading: Reading) async {
        sendToGroup(.kill)
        send(.kill)
        await reading.waiter.value
        state.withLock { $0.stopsReading = true }
        await reading.reader.value
        try? await reading.pool.shutdownGracefully()
    }

    fileprivate static func spawn(
        _ executable: String, _ arguments: [String], _ environment: [String: String], _ directory: String?
    ) throws -> (ChildProcess, Reading) {
        var command = [executable] + arguments
        // The part of `posix_spawn` that Swift can import from the C library cannot change the working directory.
        if let directory { command = ["/usr/bin/env", "-C", directory] + command }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var all = sigset_t()
        sigfillset(&all)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))

        var processID: pid_t = 0
        // One at a time, so that no sibling inherits the ends of a pipe before they are marked.
        let (code, ends) = spawning.withLock { _ -> (Int32, [[Int32]]) in
            var ends: [[Int32]] = []
            for target: Int32 in [1, 2] {
                var pair: [Int32] = [0, 0]
                guard pipe(&pair) == 0 else {
                    let code = errno
                    for pair in ends { close(pair[1]) }
                    return (code, ends)
                }
                for end in pair { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
                posix_spawn_file_actions_adddup2(&actions, pair[1], target)
                ends.append(pair)
            }
            // The program must not inherit files of the tests: a file that it held open for writing could not be
            // executed.
            _ = closeFrom?(&actions, 3)
            let code = withCStrings(command) { arguments in
                withCStrings(environment.map { "\($0.key)=\($0.value)" }) { environment in
                    posix_spawnp(&processID, command[0], &actions, &attributes, arguments, environment)
                }
            }
            for pair in ends { close(pair[1]) }
            return (code, ends)
        }
        guard code == 0 else {
            for pair in ends { close(pair[0]) }
            throw StartFailure(command: executable, code: code)
        }
        let name = executable.split(separator: "/").last.map(String.init) ?? executable
        let child = ChildProcess(processID: processID, command: name)
        return (child, child.watch(output: ends[0][0], errors: ends[1][0]))
    }

    private func watch(output: Int32, errors: Int32) -> Reading {
        let pool = NIOThreadPool(numberOfThreads: 2)
        pool.start()
        // Every path out of the scope calls `end`, which awaits both tasks.
        let waiter = Task { _ = try? await pool.runIfActive { self.reap() } }
        let reader = Task { _ = try? await pool.runIfActive { self.read(output: output, errors: errors) } }
        return Reading(pool: pool, waiter: waiter, reader: reader)
    }

    private func reap() {
        // This wait does not reap the process, so that the id stays reserved until the lock protects the end.
        var info = siginfo_t()
        while waitid(P_PID, id_t(processID), &info, WEXITED | WNOWAIT) == -1, errno == EINTR {}
        state.withLock { state in
            var status: Int32 = 0
            while waitpid(processID, &status, 0) == -1, errno == EINTR {}
            let signal = status & 0x7F
            state.status = signal == 0 ? .exited((status >> 8) & 0xFF) : .signalled(signal)
        }
        changes.notify()
    }

    private func read(output: Int32, errors: Int32) {
        var open = [(output, Line.Source.output, [UInt8]()), (errors, Line.Source.error, [UInt8]())]
        var quietRounds = 0
        while !open.isEmpty, !state.withLock({ $0.stopsReading }) {
            var polled = open.map { pollfd(fd: $0.0, events: Int16(POLLIN), revents: 0) }
            let ready = poll(&polled, nfds_t(polled.count), 50)
            // A process that the ended one has started may still hold the pipe open.
            quietRounds = ready == 0 && exitStatus != nil ? quietRounds + 1 : 0
            if quietRounds == 4 { noteEndOfOutput() }
            for index in polled.indices.reversed() where polled[index].revents != 0 {
                if !readSome(&open[index]) { close(open.remove(at: index).0) }
            }
        }
        for source in open { close(source.0) }
        noteEndOfOutput()
    }

    private func noteEndOfOutput() {
        state.withLock { $0.outputHasEnded = true }
        changes.notify()
    }

    private func readSome(_ source: inout (Int32, Line.Source, [UInt8])) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = Glibc.read(source.0, &buffer, buffer.count)
        if count < 0 { return errno == EINTR || errno == EAGAIN }
        source.2 += buffer.prefix(count)
        var lines: [Line] = []
        var pieces = source.2.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let rest = pieces.popLast() ?? []
        for piece in pieces { lines.append(Line(source: source.1, text: String(decoding: piece, as: UTF8.self))) }
        if count == 0, !rest.isEmpty {
            lines.append(Line(source: source.1, text: String(decoding: rest, as: UTF8.self)))
        }
        source.2 = Array(rest)
        if !lines.isEmpty {
            state.withLock { $0.lines += lines }
            changes.notify()
        }
        return count > 0
    }
}

/// Calls `body` with C strings in an array that ends with null, as `execve` requires.
private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    let copies = strings.map { strdup($0) } + [nil]
    defer { for copy in copies { free(copy) } }
    return copies.withUnsafeBufferPointer { buffer in
        // An array with at least one element has a base address.
        buffer.baseAddress.map(body) ?? withUnsafePointer(to: nil, body)
    }
}
