internal import BackendKit
internal import CLinux
internal import Glibc
internal import PrefectConcurrency
internal import PrefectFiles

/// Watches all processes of the backend on one thread. The actor runs on the loop that waits for their ends, their
/// output and their control connections.
actor ProcessSupervisor {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private var processes: [SupervisedProcess.Key: SupervisedProcess] = [:]
    /// The sessions of the processes that run a flow's hooks. They carry the run's marks, but they are not part of the
    /// run.
    var helperSessions: Set<pid_t> = []

    let outputPump: OutputPump?
    let errorPump: OutputPump?
    var inotify: Descriptor?
    var watchedOutput: [Int32: SupervisedProcess.Key] = [:]
    var isPolling = false
    /// The directories of runs whose process no longer exists and whose remaining output is being copied or has been
    /// copied.
    var finishedDirectories: Set<RunDirectory> = []

    private var listener: ControlListener?
    private var hasTriedToListen = false
    private let controlPatience: Duration
    /// The time limit for the answer of a process to a request to cancel.
    let cancelPatience: Duration
    private var controlled: [String: SupervisedProcess.Key] = [:]
    /// The conclusions of processes that reported before the supervisor watched them, by token.
    private var earlyConclusions: [String: ControlSession.Conclusion] = [:]

    init(
        loop: EventLoop, outputPump: OutputPump?, errorPump: OutputPump?,
        controlPatience: Duration = ControlListener.patience, cancelPatience: Duration = .seconds(1)
    ) {
        self.loop = loop
        self.controlPatience = controlPatience
        self.cancelPatience = cancelPatience
        self.outputPump = outputPump
        self.errorPump = errorPump
    }

    // MARK: - Processes

    /// Starts to watch a child that has just been started.
    func supervise(
        _ child: LaunchedChild, marks: SupervisedProcess.Marks, directory: RunDirectory, streams: OutputNames?,
        streamsOutput: Bool, name: String, controlToken: String?
    ) throws(InfrastructureError) {
        let key = SupervisedProcess.Key(pid: child.pid, startTime: child.startTime)
        let process = SupervisedProcess(
            key: key, descriptor: child.descriptor, isChild: true, leadsGroup: true, leadsSession: true, marks: marks)
        process.streamsOutput = streamsOutput
        process.controlToken = controlToken
        if let controlToken {
            controlled[controlToken] = key
            process.conclusion = earlyConclusions.removeValue(forKey: controlToken)
        }
        do {
            try watch(process)
        } catch {
            kill(-child.pid, SIGKILL)
            var code: Int32 = 0
            _ = clinux_pidfd_wait(child.descriptor.raw, 1, &code)
            throw error
        }
        if let streams { follow(process, in: directory, streams: streams, name: name) }
    }

    /// Returns the key of the process of an identifier. Starts to watch the process if an earlier worker started it.
    func find(_ handle: ProcessHandle, flowRunID: String, streamsOutput: Bool, name: String)
        throws(InfrastructureError) -> SupervisedProcess.Key
    {
        if let origin = handle.origin {
            let key = SupervisedProcess.Key(pid: handle.pid, startTime: origin.startTime)
            if processes[key] != nil, origin.place == .current { return key }
        }
        let facts: ProcessFacts
        do {
            facts = try handle.locate(flowRunID: flowRunID)
        } catch {
            if let origin = handle.origin, error.kind == .notFound {
                copyRest(in: RunDirectory(existing: origin.directory), streamsOutput: streamsOutput, name: name)
            }
            throw error
        }
        let key = SupervisedProcess.Key(pid: facts.pid, startTime: facts.startTime)
        if processes[key] != nil { return key }
        guard let descriptor = Descriptor(owning: clinux_pidfd_open(facts.pid)) else {
            if errno == ESRCH { throw InfrastructureError(.notFound, "Process \(facts.pid) does not exist any more") }
            throw InfrastructureError(
                .unavailable, "Process \(facts.pid) could not be watched: \(systemMessage(errno))")
        }
        // The pid may have been reused before the descriptor was opened, so the start time is compared again.
        guard ProcessFacts(pid: facts.pid)?.startTime == facts.startTime else {
            throw InfrastructureError(.notFound, "Process \(facts.pid) does not exist any more")
        }
        let marks = SupervisedProcess.Marks(directory: handle.origin?.directory, flowRunID: flowRunID)
        let process = SupervisedProcess(
            key: key, descriptor: descriptor, isChild: facts.parent == getpid(), leadsGroup: facts.group == facts.pid,
            leadsSession: facts.session == facts.pid, marks: marks)
        process.streamsOutput = streamsOutput
        try watch(process)
        if let origin = handle.origin {
            follow(process, in: RunDirectory(existing: origin.directory), streams: .flow, name: name)
        }
        return key
    }

    func process(_ key: SupervisedProcess.Key) -> SupervisedProcess? { processes[key] }

    /// Whether the supervisor watches a process, or has watched it to its end and has not forgotten it.
    func knows(_ key: SupervisedProcess.Key) -> Bool { processes[key] != nil }

    /// The processes that have not ended.
    var running: [SupervisedProcess] { processes.values.filter { !$0.hasEnded } }

    /// How a process ends, once its process group is empty; `nil` for an unknown process.
    func end(of key: SupervisedProcess.Key) -> ObservedValue<ExitStatus?>? { processes[key]?.end }

    /// Waits until a process and its group have ended, or until a deadline.
    func waitForEnd(_ key: SupervisedProcess.Key, until deadline: ContinuousClock.Instant) async throws -> ExitStatus? {
        guard let end = end(of: key) else { return nil }
        await end.wait(by: deadline) { $0 != nil }
        try Task.checkCancellation()
        return end.value
    }

    /// Forgets a process that has ended; returns `false` when it still runs.
    func forget(_ key: SupervisedProcess.Key) -> Bool {
        guard let process = processes[key] else { return true }
        guard process.hasEnded else { return false }
        processes[key] = nil
        return true
    }

    func setHelper(_ session: pid_t, isRunning: Bool) {
        if isRunning { helperSessions.insert(session) } else { helperSessions.remove(session) }
    }

    private func watch(_ process: SupervisedProcess) throws(InfrastructureError) {
        let key = process.key
        let token = loop.watch(process.descriptor) { [weak self] _ in
            self?.assumeIsolated { $0.leaderExited(key) }
        }
        guard let token else {
            throw InfrastructureError(
                .unavailable, "Process \(key.pid) could not be watched: \(systemMessage(errno))")
        }
        process.watch = token
        processes[key] = process
    }

    // MARK: - Waiting

    /// Suspends until an event has happened or a deadline passes, whichever comes first.
    func pause(on event: ObservedValue<Bool>, until deadline: ContinuousClock.Instant) async throws {
        if event.value { return }
        await event.wait(by: deadline) { $0 }
        try Task.checkCancellation()
    }

    // MARK: - Control sessions

    /// Returns a port and a token for a process that is about to be started; `nil` when no listener is available.
    func makeControlToken() -> (port: UInt16, token: String)? {
        if !hasTriedToListen {
            hasTriedToListen = true
            listener = ControlListener(
                loop: loop, patience: controlPatience,
                onAccept: { [weak self] in self?.assumeIsolated { $0.listener?.accept() } },
                onReady: { [weak self] watch in self?.assumeIsolated { $0.listener?.receive(watch) } },
                onExpiry: { [weak self] watch in self?.assumeIsolated { $0.listener?.expire(watch) } },
                report: { [weak self] token, event in self?.assumeIsolated { $0.control(token, event) } })
        }
        guard let listener, let token = listener.makeToken() else { return nil }
        return (listener.port, token)
    }

    func forgetControl(_ token: String) {
        listener?.forget(token)
        controlled[token] = nil
        earlyConclusions[token] = nil
    }

    func drainControl(_ token: String) { listener?.drain(token) }

    /// Requests that a process cancels its run. Returns when the process has taken over the cancellation or ended its
    /// run itself, or after `limit`.
    func requestCancel(_ process: SupervisedProcess, within limit: Duration) async throws {
        guard let token = process.controlToken, let listener, listener.requestCancel(token) else { return }
        try await pause(on: process.cancelAnswered, until: .now + limit)
        if !process.cancelAnswered.value { listener.abandonCancel(token) }
    }

    private func control(_ token: String, _ event: ControlListener.Event) {
        guard let key = controlled[token] else {
            if case .concluded(let first) = event, earlyConclusions[token] == nil { earlyConclusions[token] = first }
            return
        }
        guard let process = processes[key] else { return }
        if case .concluded(let conclusion) = event, process.conclusion == nil { process.conclusion = conclusion }
        process.cancelAnswered.update { $0 = true }
    }
}

extension SupervisedProcess.Marks {
    /// The marks of a run that has its own directory, or else of every process with the id of the flow run.
    init(directory: String?, flowRunID: String) {
        if let directory {
            self.init(variable: ProcessBackend.directoryVariable, value: directory)
        } else {
            self.init(variable: "PREFECT__FLOW_RUN_ID", value: flowRunID)
        }
    }
}
