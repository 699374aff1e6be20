internal import BackendKit
internal import CLinux
internal import Glibc
internal import PrefectConcurrency
internal import PrefectFiles

extension ProcessSupervisor {
    /// How long the remaining processes of an ended run's group may take to react to SIGTERM.
    static let leftoverGrace = Duration.milliseconds(500)
    /// How long a killed process may take to disappear.
    static let killPatience = Duration.seconds(10)

    // MARK: - The end of the leader

    func leaderExited(_ key: SupervisedProcess.Key, attempt: Int = 0) {
        guard let process = process(key), !process.exited.value else { return }
        var code: Int32 = 0
        if process.isChild {
            // The child is not reaped yet. Its pid stays reserved until all processes that are found by it have been
            // handled.
            let answer = clinux_pidfd_wait(process.descriptor.raw, 0, &code)
            if answer == 0 { return }
            // Other code in this process may have reaped the child. Then its exit code is unknown.
            process.exitCode = answer == 1 ? Int(code) : nil
        } else {
            // The kernel reports the code once the new parent has reaped the process. An init does so at once, some
            // substitutes for it do so later. A stop does not wait for the code.
            let answer = clinux_pidfd_exit_code(process.descriptor.raw, &code)
            if answer == 0, attempt < 100, process.stoppers == 0 {
                unwatch(process)
                loop.schedule(at: .now + .milliseconds(20)) { [weak self] in
                    self?.assumeIsolated { $0.leaderExited(key, attempt: attempt + 1) }
                }
                return
            }
            process.exitCode = answer == 1 ? Int(code) : nil
        }
        unwatch(process)
        if let token = process.controlToken { drainControl(token) }
        process.exited.update { $0 = true }
        if process.stoppers == 0 { sweep(key) }
    }

    private func unwatch(_ process: SupervisedProcess) {
        if let watch = process.watch { loop.unwatch(process.descriptor, watch) }
        process.watch = nil
    }

    /// Ends the remaining processes of the leader's process group, then settles the status.
    private func sweep(_ key: SupervisedProcess.Key) {
        guard let process = process(key), process.stoppers == 0, !process.hasEnded else { return }
        let left = process.leadsGroup ? groupMembers(process, ProcessFacts.all()) : []
        let start = process.sweepStartedAt ?? .now
        let isFirst = process.sweepStartedAt == nil
        process.sweepStartedAt = start
        guard !left.isEmpty, .now < start + Self.leftoverGrace + Self.killPatience else {
            settle(process)
            return
        }
        let mustKill = .now >= start + Self.leftoverGrace
        if isFirst || mustKill {
            for facts in left { signal(facts, mustKill ? SIGKILL : SIGTERM) }
        }
        loop.schedule(at: .now + .milliseconds(20)) { [weak self] in self?.assumeIsolated { $0.sweep(key) } }
    }

    /// Makes the status final, reaps the child, and resumes the waiting tasks.
    private func settle(_ process: SupervisedProcess) {
        guard !process.hasEnded else { return }
        var code: Int32 = 0
        if process.isChild { _ = clinux_pidfd_wait(process.descriptor.raw, 1, &code) }
        if let token = process.controlToken { forgetControl(token) }
        let status = ExitStatus(
            code: process.exitCode, conclusion: Self.conclusion(process.conclusion),
            lastOutput: process.errors?.tail())
        finishOutput(process)
        process.end.update { $0 = status }
    }

    private static func conclusion(_ conclusion: ControlSession.Conclusion?) -> ExitStatus.Conclusion? {
        switch conclusion {
        case .stateReported(let type, let name): .stateReported(type: type, name: name)
        case .abortedByAPI: .abortedByAPI
        // After such a conclusion, the worker sets the final state and runs the hooks.
        case .cancelAcknowledged, nil: nil
        }
    }

    // MARK: - Stopping

    /// Ends a process and everything that belongs to it. Returns when all of these have ended.
    func stop(_ key: SupervisedProcess.Key, grace: Duration, reason: StopReason) async throws {
        guard let process = process(key) else { return }
        process.stoppers += 1
        defer {
            process.stoppers -= 1
            if process.stoppers == 0, process.exited.value { sweep(key) }
        }
        if reason == .cancelled, !process.exited.value, process.terminatedAt == nil {
            try await requestCancel(process, within: cancelPatience)
        }
        // Processes outside the session are found by their parents, which works only while these parents exist.
        let family = process.exited.value ? [] : descendants(of: key.pid, ProcessFacts.all())
        let terminatedAt = process.terminatedAt ?? .now
        if process.terminatedAt == nil {
            process.terminatedAt = terminatedAt
            // An engine that has reported the end of its run is about to exit. SIGTERM would only interrupt that.
            let isOver = reason == .cancelled && process.hasReportedEnd
            if !process.exited.value, !isOver { signalGroup(process, SIGTERM) }
        }
        try await pause(on: process.exited, until: terminatedAt + grace)

        // After an orderly end of the leader, the remaining processes also get SIGTERM first.
        let killAt = process.exited.value ? min(terminatedAt + grace, .now + .seconds(2)) : .now
        var asked: Set<ProcessFacts.ID> = []
        var interval = Duration.milliseconds(5)
        while true {
            let left = remaining(of: process, family: family)
            if left.isEmpty, process.exited.value { break }
            let now = ContinuousClock.now
            if now >= killAt + Self.killPatience {
                let pids = left.map { String($0.pid) }.joined(separator: ", ")
                throw InfrastructureError(
                    .unavailable,
                    "Processes \(pids) of the run did not exit after SIGKILL; they hang in the kernel")
            }
            if now >= killAt {
                signalGroup(process, SIGKILL)
                for facts in left { signal(facts, SIGKILL) }
            } else {
                for facts in left where asked.insert(facts.id).inserted { signal(facts, SIGTERM) }
            }
            if process.exited.value {
                try await Task.sleep(for: interval)
            } else {
                try await pause(on: process.exited, until: .now + interval)
            }
            interval = min(interval * 2, .milliseconds(100))
        }
    }

    // MARK: - Processes of a run

    /// Sends a signal to a process group while the pid of its leader is reserved. A leader that shares its group with
    /// others gets the signal alone.
    private func signalGroup(_ process: SupervisedProcess, _ number: Int32) {
        guard process.leadsGroup else {
            _ = clinux_pidfd_signal(process.descriptor.raw, number, 0)
            return
        }
        if clinux_pidfd_signal(process.descriptor.raw, number, 1) == 0 || errno == ESRCH { return }
        // An older kernel cannot signal a group through a pidfd. The pid is safe to use: the leader is an unreaped
        // child, or verifiably exists.
        if process.isChild && !process.hasEnded || clinux_pidfd_signal(process.descriptor.raw, 0, 0) == 0 {
            kill(-process.key.pid, number)
        }
    }

    /// Sends a signal to exactly this process, and not to a later process with the same pid.
    private func signal(_ facts: ProcessFacts, _ number: Int32) {
        guard let descriptor = Descriptor(owning: clinux_pidfd_open(facts.pid)),
            ProcessFacts(pid: facts.pid)?.startTime == facts.startTime
        else { return }
        _ = clinux_pidfd_signal(descriptor.raw, number, 0)
    }

    /// Whether the leader's pid still identifies the leader, its group and its session.
    private func keepsNumber(_ process: SupervisedProcess, _ all: [ProcessFacts]) -> Bool {
        if process.isChild, !process.hasEnded { return true }
        // The kernel does not reuse a pid while a group or session with that number has members. So a later process
        // with the pid proves that both are empty.
        guard let holder = all.first(where: { $0.pid == process.key.pid }) else { return true }
        return holder.startTime == process.key.startTime
    }

    private func groupMembers(_ process: SupervisedProcess, _ all: [ProcessFacts]) -> [ProcessFacts] {
        guard keepsNumber(process, all) else { return [] }
        return all.filter {
            $0.group == process.key.pid && $0.pid != process.key.pid && !$0.isZombie
                && $0.startTime >= process.key.startTime
        }
    }

    /// Returns all processes of a run except its leader: its group, its session, its descendants, and processes with
    /// its marks.
    private func remaining(of process: SupervisedProcess, family: Set<ProcessFacts.ID>) -> [ProcessFacts] {
        let all = ProcessFacts.all()
        let keepsNumber = keepsNumber(process, all)
        let own = getpid()
        return all.filter { facts in
            guard facts.pid != process.key.pid, facts.pid != own, !facts.isZombie,
                facts.startTime >= process.key.startTime,
                facts.session == process.key.pid || !helperSessions.contains(facts.session)
            else { return false }
            if keepsNumber, process.leadsGroup, facts.group == process.key.pid { return true }
            if keepsNumber, process.leadsSession, facts.session == process.key.pid { return true }
            if family.contains(facts.id) { return true }
            return ProcessFacts.environmentValue(of: facts.pid, process.marks.variable) == process.marks.value
        }
    }

    /// Kills the remaining processes in the session of a run whose leader ended while it was not watched.
    func endLeftovers(session: pid_t, of directory: String) {
        for facts in ProcessFacts.all() where facts.session == session && !facts.isZombie {
            guard ProcessFacts.environmentValue(of: facts.pid, ProcessBackend.directoryVariable) == directory else {
                continue
            }
            signal(facts, SIGKILL)
        }
    }

    private func descendants(of pid: pid_t, _ all: [ProcessFacts]) -> Set<ProcessFacts.ID> {
        let children = Dictionary(grouping: all, by: \.parent)
        var found: Set<ProcessFacts.ID> = []
        var pending = [pid]
        while let parent = pending.popLast() {
            for child in children[parent] ?? [] where found.insert(child.id).inserted { pending.append(child.pid) }
        }
        return found
    }
}

extension ProcessFacts: Identifiable {
    /// Identifies a process even when its pid is reused.
    var id: SupervisedProcess.Key { SupervisedProcess.Key(pid: pid, startTime: startTime) }
}
