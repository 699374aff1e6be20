internal import JSON
internal import RESTClient
internal import Synchronization
public import Worker

// Watching a container until it ends.
extension DockerBackend {
    /// The time limit for printing the rest of the log after the container has ended.
    private static let logTime = Duration.seconds(10)
    /// The number of lines of standard error that explain a crash.
    private static let lastLines = 20

    /// Waits until the container has ended. Meanwhile its output is printed, if the job requests that. If the Engine
    /// becomes unavailable, the method waits for it. The exit code of a container that another program removed may be
    /// unknown.
    public func wait(
        for identifier: InfrastructureIdentifier, job: Job<DockerConfiguration>
    ) async throws -> ExitStatus {
        let handle = ContainerHandle(identifier, engine.endpoint)
        let container = handle.container
        let isNew = inHand.withLock { state in
            state.containers.insert(container)
            return state.started.remove(container) != nil
        }
        let result = await withTaskGroup(of: Void.self, returning: (ContainerEnd, ContainerFacts?)?.self) { group in
            var facts: ContainerFacts?
            for await notice in watcher.notices(of: container) {
                switch notice {
                case .status(let status, let found):
                    if facts == nil, job.configuration.streamsOutput {
                        group.addTask { await self.printOutput(of: found, isNew: isNew, job) }
                    }
                    facts = found
                    job.reporter.emit(
                        event: "prefect.docker.container.\(status)", resource: resource(container, name: found.name),
                        payload: [:])
                case .end(let end):
                    group.addTask { try? await Task.sleep(for: Self.logTime) }
                    if facts != nil, job.configuration.streamsOutput { await group.next() }
                    group.cancelAll()
                    return (end, facts)
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

    private func printOutput(of facts: ContainerFacts, isNew: Bool, _ job: Job<DockerConfiguration>) async {
        // An earlier process has printed the older output, up to the mark that it recorded.
        let start = isNew ? OutputPosition() : marks.position(of: facts.id) ?? OutputPosition(since: .now)
        let follower = LogFollower(
            engine: engine, watcher: watcher, output: output, errors: errors, container: facts.id,
            flowRunID: job.flowRunID, flowRunName: job.flowRunName, hasTTY: facts.hasTTY, marks: marks)
        if let problem = await follower.run(from: start) {
            job.reporter.log(.warning, "The output of container '\(facts.name)' cannot be printed: \(problem.message)")
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
