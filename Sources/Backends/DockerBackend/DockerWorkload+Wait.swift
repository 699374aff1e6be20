internal import BackendKit
internal import Concurrency
internal import JSON
internal import RESTClient
internal import Synchronization

// Watching a container until it ends.
extension DockerWorkload {
    /// The time limit for printing the rest of the log after the container has ended.
    private static let logTime = Duration.seconds(10)
    /// The number of lines of standard error that explain a crash.
    private static let lastLines = 20

    /// Waits until the container has ended. Meanwhile its output is printed, if the job requests that. If the Engine
    /// becomes unavailable, the method waits for it. The exit code of a container that another program removed may be
    /// unknown.
    func wait(
        for identifier: InfrastructureIdentifier
    ) async throws -> ExitStatus {
        let handle = ContainerHandle(identifier, engine.endpoint)
        let container = handle.container
        let isNew = backend.inUse.addReturningIsNew(container)
        let hasEnded = ObservedValue(false)
        let result = await withTaskGroup(of: Void.self, returning: (ContainerEnd, ContainerFacts?)?.self) { group in
            var progress = ContainerProgress()
            func note(_ facts: ContainerFacts) {
                if progress.facts == nil, configuration.streamsOutput {
                    group.addTask { await self.printOutput(of: facts, isNew: isNew, until: hasEnded) }
                }
                if let status = progress.note(facts) { emit(status, facts) }
            }
            for await notice in backend.watch.notices(of: container) {
                switch notice {
                case .event(let event):
                    if let status = progress.note(event), let facts = progress.facts { emit(status, facts) }
                case .status(let facts): note(facts)
                case .end(let facts):
                    if let facts { note(facts) }
                    hasEnded.update { $0 = true }
                    group.addTask { try? await Task.sleep(for: Self.logTime) }
                    if progress.facts != nil, configuration.streamsOutput { await group.next() }
                    group.cancelAll()
                    return (progress.end(facts), progress.facts)
                }
            }
            group.cancelAll()
            return nil
        }
        guard let (end, facts) = result else { throw CancellationError() }
        if end.wasRemoved, facts == nil, !handle.isHere {
            throw InfrastructureError(
                .notReachable, "Container '\(container)' is not on this worker's Docker Engine")
        }
        return await status(end, facts, container)
    }

    private func emit(_ status: String, _ facts: ContainerFacts) {
        run.reporter.emit(
            event: "prefect.docker.container.\(status)", resource: resource(facts.id, name: facts.name), payload: [:])
    }

    private func printOutput(of facts: ContainerFacts, isNew: Bool, until hasEnded: ObservedValue<Bool>) async {
        // An earlier process has printed the older output, up to the mark that it recorded.
        let start = isNew ? OutputPosition() : backend.marks.position(of: facts.id) ?? OutputPosition(since: .now)
        let follower = LogFollower(
            engine: engine, availability: backend.availability, hasEnded: hasEnded, output: backend.output,
            errors: backend.errors, container: facts.id, flowRunID: run.flowRunID, flowRunName: run.flowRunName,
            hasTTY: facts.hasTTY, marks: backend.marks)
        if let problem = await follower.run(from: start) {
            run.reporter.log(.warning, "The output of container '\(facts.name)' cannot be printed: \(problem.message)")
        }
    }

    private func status(_ end: ContainerEnd, _ facts: ContainerFacts?, _ container: String) async -> ExitStatus {
        var reasons: [String] = []
        if end.wasOutOfMemory, end.exitCode != 0 {
            let limit = facts?.memoryLimit.map { " at its limit of \(ByteCount.text($0))" } ?? ""
            reasons.append("The container ran out of memory: the kernel killed it (OOM)\(limit).")
        }
        if end.exitCode == 137, !end.wasOutOfMemory, !end.wasRemoved {
            reasons.append("The container was killed (SIGKILL); the Engine did not report that it ran out of memory.")
        }
        if let error = end.error { reasons.append("The Docker Engine reports: \(error).") }
        if end.wasRemoved {
            reasons.append("Container '\(facts?.name ?? container)' was removed by somebody else.")
        }
        var lastOutput: String?
        if let code = end.exitCode, code != 0, !end.wasRemoved {
            let bytes = try? await engine.lastErrors(
                of: container, hasTTY: facts?.hasTTY ?? false, lines: Self.lastLines)
            let text = String(decoding: (bytes ?? []).suffix(8 << 10), as: UTF8.self)
            lastOutput = text.lastIndex { !$0.isWhitespace }.map { String(text[...$0]) }
        }
        return ExitStatus(
            code: end.exitCode, lastOutput: lastOutput, reason: reasons.isEmpty ? nil : reasons.joined(separator: " "))
    }
}
