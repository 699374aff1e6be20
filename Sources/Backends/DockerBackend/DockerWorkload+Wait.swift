internal import BackendKit
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST
internal import Synchronization

// Watching a container until it ends.
extension DockerWorkload {
    /// The time limit for printing the rest of the log after the container has ended.
    private static let logTime = Duration.seconds(10)

    /// Waits until the container has ended. Meanwhile its output is printed, if the job requests that. If the Engine
    /// becomes unavailable, the method waits for it. The exit code of a container that another program removed may be
    /// unknown.
    func wait(
        for identifier: InfrastructureIdentifier
    ) async throws -> ExitStatus {
        let observation = observation(of: identifier)
        await observe(observation)
        return try await status(observation)
    }

    @inline(never)
    private func observation(of identifier: InfrastructureIdentifier) -> Observation {
        let handle = ContainerHandle(identifier, engine.endpoint)
        return Observation(of: handle, isNew: backend.inUse.addReturningIsNew(handle.container))
    }

    /// The state of a wait. Only the waiting task uses it.
    private final class Observation {
        let handle: ContainerHandle
        /// Whether this process has started the container.
        let isNew: Bool
        let hasEnded = ObservedValue(false)
        /// Whether the whole output is printed.
        let hasPrinted = ObservedValue(true)
        var progress = ContainerProgress()
        var end: ContainerEnd?

        init(of handle: ContainerHandle, isNew: Bool) { (self.handle, self.isNew) = (handle, isNew) }

        var hasEnd: Bool { @inline(never) get { end != nil } }
    }

    /// Handles the notifications about the container until it has ended or the task is cancelled, and prints its output
    /// meanwhile.
    private func observe(_ observation: Observation) async {
        await withDiscardingTaskGroup { group in
            for await notice in backend.watch.notices(of: observation.handle.container) {
                if let follower = take(notice, observation) { follow(follower, observation, &group) }
                if observation.hasEnd { break }
            }
            if observation.hasEnd {
                observation.hasEnded.update { $0 = true }
                let hasPrinted = observation.hasPrinted
                try? await inChildTask { await hasPrinted.wait(by: .now + Self.logTime) { $0 } }
            }
            group.cancelAll()
        }
    }

    @inline(never)
    private func follow(_ follower: LogFollower, _ observation: Observation, _ group: inout DiscardingTaskGroup) {
        let hasPrinted = observation.hasPrinted
        hasPrinted.update { $0 = false }
        group.addTask { [run] in
            await follower.run(reportingTo: run.reporter)
            hasPrinted.update { $0 = true }
        }
    }

    /// Handles a notification. The first one that describes the container returns the follower of its log, if the job
    /// requests its output.
    @inline(never)
    private func take(_ notice: TaskWatch<ContainerSource>.Notice, _ observation: Observation) -> LogFollower? {
        // Not inlined, so that its values are not part of the memory of the task, which may wait for long.
        let isFirst = observation.progress.facts == nil
        func note(_ facts: ContainerFacts) {
            if let status = observation.progress.note(facts) { emit(status, facts) }
        }
        switch notice {
        case .event(let event):
            let status = observation.progress.note(event)
            if let status, let facts = observation.progress.facts { emit(status, facts) }
        case .status(let facts): note(facts)
        case .end(let facts):
            if let facts { note(facts) }
            observation.end = observation.progress.end(facts)
        }
        guard isFirst, configuration.streamsOutput, let facts = observation.progress.facts else { return nil }
        return follower(of: facts, observation)
    }

    private func emit(_ status: String, _ facts: ContainerFacts) {
        run.reporter.emit(
            event: "prefect.docker.container.\(status)", resource: resource(facts.id, name: facts.name), payload: [:])
    }

    private func follower(of facts: ContainerFacts, _ observation: Observation) -> LogFollower {
        // An earlier process has printed the older output, up to the mark that it recorded.
        let mark = backend.marks.mark(of: facts.id)
        let start = observation.isNew ? OutputPosition() : mark.position ?? OutputPosition(since: .now)
        return LogFollower(
            engine: engine, availability: backend.availability, hasEnded: observation.hasEnded,
            output: backend.output, errors: backend.errors, container: facts.id, containerName: facts.name,
            flowRunID: run.flowRunID, flowRunName: run.flowRunName, hasTTY: facts.hasTTY, mark: mark,
            start: start)
    }

    @inline(never)
    private func status(_ observation: Observation) async throws -> ExitStatus {
        guard let end = observation.end else { throw CancellationError() }
        let (facts, handle) = (observation.progress.facts, observation.handle)
        if end.wasRemoved, facts == nil, !handle.isHere {
            throw InfrastructureError(
                .notReachable, "Container '\(handle.container)' is not on this worker's Docker Engine")
        }
        return await backend.exitStatus(of: handle.container, end, facts)
    }
}
