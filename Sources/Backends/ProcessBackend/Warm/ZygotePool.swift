internal import BackendKit
internal import CLinux
internal import Glibc
internal import Logging
internal import PrefectConcurrency
internal import PrefectFiles

/// Keeps zygotes for the runs that come, and decides which run is a copy of one. The actor runs on the loop that watches
/// all processes of the backend.
///
/// A run is never delayed for a zygote that is not ready.
actor ZygotePool {
    /// How long zygotes live, and how many there are.
    struct Limits: Sendable {
        /// The greatest number of zygotes, each for other values of the variables on which the imports depend.
        var zygotes = 2
        /// How long a zygote without requests lives.
        var idle = Duration.seconds(300)
        /// The time after which another zygote replaces one. Its copies share the seed of hashes and the layout of
        /// addresses.
        var age = Duration.seconds(3600)
        /// The number of copies after which another zygote replaces one.
        var copies = 1000
        /// The memory of a zygote, in bytes.
        var memory = 200 << 20
        /// How long an idle zygote keeps its place when other runs need one.
        var place = Duration.seconds(60)
        /// The number of failures within `failureTime` after which no zygote is started for `rest`.
        var failures = 3
        var failureTime = Duration.seconds(600)
        var rest = Duration.seconds(3600)
    }

    /// The way in which a run starts.
    enum Start: Sendable {
        /// As a copy of a zygote.
        case warm(LaunchedChild)
        /// By an interpreter of its own.
        case cold
        /// The zygote has ended during the start. There may be a process of the run.
        case unknown
    }

    /// Runs that can be copies of the same zygote, as far as that is known before its start.
    private struct Kind: Hashable {
        let executable: String
        /// A hash, so that the values are not kept.
        let values: Int
    }

    /// A request for a zygote.
    private struct Demand: Sendable {
        let kind: Kind
        let executable: String
        let interpreter: String
        /// The environment of the run that needs it.
        let environment: [String: String]
        /// The zygote that it replaces.
        var old: Zygote?
    }

    private struct Record {
        var failures: [ContinuousClock.Instant] = []
        var restUntil: ContinuousClock.Instant?
    }

    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    nonisolated let mode: WarmEngines
    private let environment: [String: String]
    private let runEnvironment: [String: String]
    private let interpreter: Interpreter
    private let limits: Limits
    private let logger: Logger
    private let counts: EngineStarts
    private var zygotes: [Zygote] = [] {
        didSet { counts.noteZygotes(zygotes.count) }
    }
    private var variables: [String: EngineVariables] = [:]
    private var records: [Kind: Record] = [:]
    private var starting: Set<Kind> = []
    private let demands: AsyncStream<Demand>
    private let demand: AsyncStream<Demand>.Continuation
    /// Whether no run is to come, so that no zygote is started.
    private var isClosed = false
    private let changed = AsyncSignal()

    init(
        mode: WarmEngines, environment: [String: String], runEnvironment: [String: String], interpreter: Interpreter,
        loop: EventLoop, logger: Logger, counts: EngineStarts, limits: Limits = Limits()
    ) {
        self.mode = mode
        self.environment = environment
        self.runEnvironment = runEnvironment
        self.interpreter = interpreter
        self.loop = loop
        self.logger = logger
        self.counts = counts
        self.limits = limits
        (demands, demand) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(8))
    }

    // MARK: - Life

    /// Starts and retires zygotes until the task is cancelled. Runs may request zygotes before.
    func run() async {
        guard mode != .off else { return }
        if mode == .on, let firstDemand { ask(firstDemand) }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.retireInTime() }
            for await next in demands {
                group.addTask { await self.start(next) }
            }
            group.cancelAll()
        }
        close()
    }

    /// Ends all zygotes and starts no more. Their copies continue to run.
    func close() {
        isClosed = true
        for zygote in zygotes { retire(zygote) }
    }

    /// The demand of runs whose jobs add nothing to the environment.
    private var firstDemand: Demand? {
        guard case .python(let path) = interpreter,
            let executable = try? ExecutableLookup.resolve(path, path: runEnvironment["PATH"], directory: "/")
        else { return nil }
        return Demand(
            kind: kind(of: executable, runEnvironment), executable: executable, interpreter: path,
            environment: runEnvironment)
    }

    private func retireInTime() async {
        while !Task.isCancelled {
            if zygotes.isEmpty {
                await changed.wait()
            } else {
                await changed.wait(atMost: min(.seconds(10), limits.idle))
            }
            let now = ContinuousClock.now
            for zygote in zygotes {
                let isIdle = mode != .on && now - zygote.lastUse >= limits.idle
                if isIdle || zygote.memory > limits.memory {
                    retire(zygote)
                } else if now - zygote.start >= limits.age || zygote.copies >= limits.copies {
                    replace(zygote)
                }
            }
            // The cold run after a failed start makes the next attempt.
            if mode == .on, !isClosed, zygotes.isEmpty, let firstDemand { ask(firstDemand) }
        }
    }

    /// Starts another zygote of the same kind. The old one serves runs until the other is ready, or cannot be.
    private func replace(_ zygote: Zygote) {
        let kind = kind(of: zygote.executable, zygote.values)
        guard !starting.contains(kind) else { return }
        starting.insert(kind)
        demand.yield(
            Demand(
                kind: kind, executable: zygote.executable, interpreter: zygote.interpreter,
                environment: zygote.values, old: zygote))
    }

    private func retire(_ zygote: Zygote) {
        zygotes.removeAll { $0 === zygote }
        zygote.retire()
    }

    // MARK: - Starts of runs

    /// Starts a run as a copy of a zygote, if there is one for it. Otherwise requests a zygote for the next run.
    func launch(_ request: Launcher.Request) async -> Start {
        guard mode != .off else { return .cold }
        guard !isClosed else {
            counts.noteCold("retired")
            return .cold
        }
        guard let zygote = zygotes.first(where: { $0.fits(request.executable, request.environment) }) else {
            counts.noteCold(ask(request))
            return .cold
        }
        let answer = await onThread("warm-start") { zygote.launch(request) } ?? .cold("resources", detail: "")
        switch answer {
        case .started(let child):
            counts.noteWarm()
            if zygote.copies >= limits.copies { changed.signal() }
            return .warm(child)
        case .cold(let reason, let detail):
            counts.noteCold(reason)
            logger.debug("A run starts with an interpreter of its own: \(reason) \(detail)")
            if reason == "stale" {
                retire(zygote)
                ask(request)
            }
            return .cold
        case .unknown:
            counts.noteCold("failed")
            zygotes.removeAll { $0 === zygote }
            noteFailure(
                of: kind(of: request.executable, request.environment), .init(reason: "it did not answer a request"))
            ask(request)
            return .unknown
        }
    }

    /// Requests a zygote for runs like this one, and returns why there is none yet.
    @discardableResult
    private func ask(_ request: Launcher.Request) -> String {
        ask(
            Demand(
                kind: kind(of: request.executable, request.environment), executable: request.executable,
                interpreter: request.arguments.first ?? request.executable, environment: request.environment))
    }

    @discardableResult
    private func ask(_ next: Demand) -> String {
        let kind = next.kind
        if starting.contains(kind) { return "starting" }
        if let until = records[kind]?.restUntil {
            if until > .now { return "failed" }
            records[kind] = nil
        }
        if zygotes.count + starting.count >= limits.zygotes {
            let oldest = zygotes.min { $0.lastUse < $1.lastUse }
            guard let oldest, .now - oldest.lastUse >= limits.place else { return "no place" }
            retire(oldest)
        }
        starting.insert(kind)
        demand.yield(next)
        return "starting"
    }

    private func kind(of executable: String, _ environment: [String: String]) -> Kind {
        let values = (variables[executable] ?? EngineVariables()).values(in: environment)
        return Kind(executable: executable, values: values.hashValue)
    }

    // MARK: - Starts of zygotes

    /// Starts a zygote and keeps it.
    private func start(_ demand: Demand) async {
        defer { starting.remove(demand.kind) }
        do {
            keep(try await zygote(for: demand))
        } catch {
            noteFailure(of: demand.kind, error)
        }
        if let old = demand.old { retire(old) }
    }

    /// Makes a zygote for the run that needs it.
    private func zygote(for demand: Demand) async throws(Zygote.Failure) -> Zygote {
        let known = variables[demand.executable]
        let zygote = try await made(for: demand)
        variables[demand.executable] = zygote.variables
        if known == zygote.variables || zygote.fits(demand.executable, demand.environment) { return zygote }
        // Only now it is known which variables the imports read.
        zygote.retire()
        return try await made(for: demand)
    }

    /// Why the worker's interpreter cannot have a zygote; `nil` if it can.
    func examine() async -> String? {
        guard let demand = firstDemand else { return "there is no interpreter" }
        do {
            try await zygote(for: demand).retire()
            return nil
        } catch {
            return error.reason
        }
    }

    private func keep(_ zygote: Zygote) {
        guard !isClosed, !Task.isCancelled else { return zygote.retire() }
        zygotes.append(zygote)
        logger.debug("A zygote of \(zygote.executable) is ready")
        changed.signal()
    }

    /// The environment of a zygote: the worker's own, with the run's values of the variables that the imports read. So a
    /// zygote contains no other variable of a run.
    private func environment(for demand: Demand) -> [String: String] {
        let variables = variables[demand.executable] ?? EngineVariables()
        let own = environment.filter { !variables.contains($0.key) && !EngineVariables.isOfRun($0.key) }
        return own.merging(variables.values(in: demand.environment)) { $1 }
    }

    private func made(for demand: Demand) async throws(Zygote.Failure) -> Zygote {
        let environment = environment(for: demand)
        let words = LastWords()
        let spawned: (process: LaunchedChild, connection: Descriptor)
        do {
            let errors = try words.pipe(on: loop)
            spawned = try Zygote.spawn(
                executable: demand.executable, interpreter: demand.interpreter, environment: environment,
                errors: errors)
        } catch {
            throw Zygote.Failure(reason: error.message)
        }
        reapAtEnd(spawned.process)
        let outcome = await onThread("zygote") {
            Result {
                try Zygote.ready(
                    spawned.process, spawned.connection, executable: demand.executable,
                    interpreter: demand.interpreter, environment: environment)
            }
        }
        if case .success(let zygote)? = outcome { return zygote }
        spawned.process.kill()
        guard case .failure(let error)? = outcome else {
            throw Zygote.Failure(reason: "the system has no thread for it")
        }
        var failure = error as? Zygote.Failure ?? Zygote.Failure(reason: "\(error)")
        if let output = words.text { failure.reason += ": \(output)" }
        throw failure
    }

    private func reapAtEnd(_ process: LaunchedChild) {
        let token = loop.watch(process.descriptor) { [weak self, loop] token in
            var code: Int32 = 0
            guard clinux_pidfd_wait(process.descriptor.raw, 1, &code) != 0 else { return }
            loop.unwatch(process.descriptor, token)
            self?.assumeIsolated { pool in pool.zygotes.removeAll { $0.process.pid == process.pid } }
        }
        if token == nil { process.kill() }
    }

    private func noteFailure(of kind: Kind, _ failure: Zygote.Failure) {
        // Few kinds are in use at a time; a record without a rest is of no use after its time.
        if records.count >= 64 { records = records.filter { ($0.value.restUntil ?? .now) > .now } }
        var record = records[kind] ?? Record()
        let now = ContinuousClock.now
        record.failures = record.failures.filter { now - $0 < limits.failureTime } + [now]
        if failure.isPermanent || record.failures.count >= limits.failures {
            record.restUntil = now + limits.rest
            let level: Logger.Level = failure.isPermanent && mode != .on ? .info : .warning
            logger.log(
                level: level,
                "Runs start without warm engines for the next hour: \(kind.executable) cannot have one: \(failure.reason)"
            )
        } else {
            logger.debug("A zygote of \(kind.executable) failed: \(failure.reason)")
        }
        records[kind] = record
    }

    /// The memory of the largest zygote, in bytes.
    var memory: Int { zygotes.map(\.memory).max() ?? 0 }

    /// The pids of the zygotes that are ready, the oldest first.
    var processes: [pid_t] { zygotes.map(\.process.pid) }
}
