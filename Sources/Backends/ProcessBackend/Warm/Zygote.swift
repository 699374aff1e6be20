internal import BackendKit
internal import CLinux
internal import Glibc
internal import PrefectFiles
internal import PrefectJSON
internal import Synchronization

/// A process that has imported Prefect's flow engine, and makes a copy of itself for each run; see ``ZygoteProgram``.
///
/// The methods that wait for an answer block their thread.
final class Zygote: Sendable {
    /// The result of a request for a run.
    enum Answer: Sendable {
        /// The run has begun.
        case started(LaunchedChild)
        /// There is no process of the run, for a reason that is one of a few words.
        case cold(String, detail: String)
        /// The zygote has not answered. There may be a process of the run.
        case unknown
    }

    /// The reason why a zygote is of no use.
    struct Failure: Error {
        /// The reason, for people.
        var reason: String
        /// Whether another attempt would fail for the same reason.
        var isPermanent = false
    }

    let process: LaunchedChild
    let executable: String
    /// The name with which the executable was started.
    let interpreter: String
    /// The variables on which the imports depended.
    let variables: EngineVariables
    /// The values of these variables.
    let values: [String: String]
    let start = ContinuousClock.now
    /// `nil` after the connection has been closed, which ends the zygote. A request holds the lock until its answer.
    private let connection: Mutex<Descriptor?>
    private let state = Mutex((copies: 0, lastUse: ContinuousClock.now, isRetired: false))

    /// The time limit for the imports.
    static let importLimit = Duration.seconds(60)
    /// The time limit for an answer.
    static let answerLimit = Duration.seconds(5)
    private static let longestMessage = 1 << 20

    private init(
        process: LaunchedChild, executable: String, interpreter: String, variables: EngineVariables,
        environment: [String: String], connection: Descriptor
    ) {
        self.process = process
        self.executable = executable
        self.interpreter = interpreter
        self.variables = variables
        values = variables.values(in: environment)
        self.connection = Mutex(connection)
    }

    // MARK: - Start and end

    /// Starts a process and returns the descriptor of its connection. The process reads its program from there.
    ///
    /// - Parameter errors: The destination of what the process prints.
    static func spawn(
        executable: String, interpreter: String, environment: [String: String], errors: Descriptor
    ) throws(InfrastructureError) -> (process: LaunchedChild, connection: Descriptor) {
        var pair: [Int32] = [-1, -1]
        guard clinux_socket_pair(&pair) == 0, let own = Descriptor(owning: pair[0]),
            let other = Descriptor(owning: pair[1])
        else {
            throw InfrastructureError(.unavailable, "A socket cannot be made: \(systemMessage(errno))")
        }
        let process = try Launcher.spawn(
            Launcher.Request(
                executable: executable, arguments: [interpreter, "-c", ZygoteProgram.start], environment: environment,
                directory: "/", errors: errors, channel: other))
        return (process, own)
    }

    /// Waits until the process has imported the flow engine. Throws ``Failure``.
    static func ready(
        _ process: LaunchedChild, _ connection: Descriptor, executable: String, interpreter: String,
        environment: [String: String]
    ) throws -> Zygote {
        let deadline = ContinuousClock.now + importLimit
        try send(Array(ZygoteProgram.source.utf8), [], to: connection, by: deadline)
        let message = try receive(from: connection, by: deadline)
        if let reason = message["unfit"]?.stringValue {
            throw Failure(reason: String(reason.prefix(300)), isPermanent: true)
        }
        guard let names = message["reads"]?.arrayValue else { throw Failure(reason: "its first message is malformed") }
        let variables = EngineVariables(
            read: Set(names.compactMap(\.stringValue)), isComplete: message["scan"]?.stringValue != nil)
        return Zygote(
            process: process, executable: executable, interpreter: interpreter, variables: variables,
            environment: environment, connection: connection)
    }

    /// Closes the connection, so that the process ends. Its copies continue to run.
    func retire() {
        // A request that waits for an answer holds the other lock. It closes the connection at its end.
        state.withLock { $0.isRetired = true }
        _ = connection.withLockIfAvailable { $0 = nil }
    }

    /// Ends the process at once.
    func kill() {
        state.withLock { $0.isRetired = true }
        process.kill()
    }

    /// How many copies there have been.
    var copies: Int { state.withLock { $0.copies } }
    /// The time of the last request, or else of the start.
    var lastUse: ContinuousClock.Instant { state.withLock { $0.lastUse } }
    /// Whether no request is possible any more.
    var isRetired: Bool { state.withLock { $0.isRetired } }

    /// The memory of the process in bytes, including pages that it shares with its copies.
    var memory: Int {
        guard let file = Descriptor(owning: open("/proc/\(process.pid)/statm", O_RDONLY | O_CLOEXEC)),
            let bytes = readBytes(file, limit: 256)
        else { return 0 }
        let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) &* sysconf(Int32(_SC_PAGESIZE))
    }

    // MARK: - Requests

    /// Whether a run can be a copy of this process.
    func fits(_ executable: String, _ environment: [String: String]) -> Bool {
        !isRetired && self.executable == executable && variables.values(in: environment) == values
    }

    /// Requests a copy for a run. A zygote that does not answer as agreed is killed.
    func launch(_ request: Launcher.Request) -> Answer {
        connection.withLock { slot in
            guard let used = slot, !isRetired else { return Answer.cold("retired", detail: "") }
            let answer = exchange(request, over: used)
            if isRetired { slot = nil }
            return answer
        }
    }

    private func exchange(_ request: Launcher.Request, over connection: Descriptor) -> Answer {
        guard let environment = Self.environmentFile(request.environment), let mark = request.mark,
            let null = Descriptor(owning: open("/dev/null", O_WRONLY | O_CLOEXEC))
        else { return .cold("resources", detail: systemMessage(errno)) }
        let message: JSONValue = [
            "directory": .string(request.directory), "arguments": .array(request.arguments.map(JSONValue.string)),
            "executable": .string(request.executable), "mark": .string(mark),
        ]
        state.withLock { ($0.copies, $0.lastUse) = ($0.copies + 1, .now) }
        do {
            let deadline = ContinuousClock.now + Self.answerLimit
            let files = [request.output ?? null, request.errors ?? null, environment]
            try Self.send(message.serializedBytes(), files, to: connection, by: deadline)
            return try answer(Self.receive(from: connection, by: deadline))
        } catch {
            kill()
            return .unknown
        }
    }

    private func answer(_ message: JSONValue) throws -> Answer {
        if let reason = message["cold"]?.stringValue {
            return .cold(reason, detail: String((message["detail"]?.stringValue ?? "").prefix(300)))
        }
        if let failed = message["failed"]?.intValue.flatMap({ pid_t(exactly: $0) }) {
            reap(failed)
            return .cold("copy", detail: "")
        }
        guard let pid = message["pid"]?.intValue.flatMap({ pid_t(exactly: $0) }), pid > 1,
            ProcessFacts(pid: pid)?.parent == getpid()
        else { throw Failure(reason: "its answer is malformed") }
        return .started(try Launcher.child(pid))
    }

    /// Reaps a copy that has ended, or is about to.
    private func reap(_ pid: pid_t) {
        guard pid > 1, ProcessFacts(pid: pid)?.parent == getpid(), pid != process.pid else { return }
        _ = Glibc.kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }

    /// A file with an environment. The marks of the run come first.
    private static func environmentFile(_ environment: [String: String]) -> Descriptor? {
        var block: [UInt8] = []
        for isOfRun in [true, false] {
            for (name, value) in environment where EngineVariables.isOfRun(name) == isOfRun {
                block += name.utf8
                block.append(UInt8(ascii: "="))
                block += value.utf8
                block.append(0)
            }
        }
        return Descriptor(owning: clinux_sealed_file(block, block.count))
    }

    // MARK: - Messages

    private static func send(
        _ bytes: [UInt8], _ files: [Descriptor], to connection: Descriptor, by deadline: ContinuousClock.Instant
    ) throws {
        guard let length = UInt32(exactly: bytes.count) else { throw Failure(reason: "the request is too long") }
        var rest = (withUnsafeBytes(of: length.bigEndian) { Array($0) } + bytes)[...]
        var raw = files.map(\.raw)
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                clinux_send_descriptors(connection.raw, $0.baseAddress, $0.count, raw, Int32(raw.count))
            }
            if count < 0 {
                guard errno == EAGAIN || errno == EINTR else { throw Failure(reason: systemMessage(errno)) }
                try wait(for: Int16(POLLOUT), of: connection, by: deadline)
                continue
            }
            raw = []
            rest = rest.dropFirst(count)
        }
        withExtendedLifetime(files) {}
    }

    private static func receive(
        from connection: Descriptor, by deadline: ContinuousClock.Instant
    ) throws -> JSONValue {
        let head = try read(4, from: connection, by: deadline)
        let length = head.reduce(0) { $0 << 8 | Int($1) }
        guard length <= longestMessage else { throw Failure(reason: "its message is too long") }
        return try JSONValue(parsing: read(length, from: connection, by: deadline))
    }

    private static func read(
        _ count: Int, from connection: Descriptor, by deadline: ContinuousClock.Instant
    ) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: max(1, min(count, 64 << 10)))
        while bytes.count < count {
            try wait(for: Int16(POLLIN), of: connection, by: deadline)
            let part = recv(connection.raw, &chunk, min(chunk.count, count - bytes.count), Int32(MSG_DONTWAIT))
            if part < 0, errno == EAGAIN || errno == EINTR { continue }
            guard part > 0 else { throw Failure(reason: "it ended") }
            bytes += chunk[..<part]
        }
        return bytes
    }

    private static func wait(
        for events: Int16, of connection: Descriptor, by deadline: ContinuousClock.Instant
    ) throws {
        while true {
            let left = (deadline - .now).components
            let milliseconds = left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000
            guard milliseconds > 0 else { throw Failure(reason: "it did not answer in time") }
            var request = pollfd(fd: connection.raw, events: events, revents: 0)
            let ready = poll(&request, 1, Int32(clamping: milliseconds))
            if ready > 0 { return }
            if ready < 0, errno != EINTR { throw Failure(reason: systemMessage(errno)) }
        }
    }
}
