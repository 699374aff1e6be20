internal import Logging
internal import PrefectConcurrency
internal import PrefectJSON

/// The remote task of one flow run.
struct RemoteWorkload<Service: RemoteTaskService>: Workload {
    typealias Client = Service.Client

    let backend: RemoteTaskBackend<Service>
    let run: RunContext
    let specification: Service.Specification

    var description: JSONValue { specification.description }
    var runsFlowEngine: Bool { specification.runsFlowEngine }
    var streamsOutput: Bool { specification.streamsOutput }

    private var key: RemoteTaskKey {
        RemoteTaskKey(
            flowRunID: run.flowRunID, claimID: run.claimID, owner: backend.owner,
            isAbandoned: backend.inUse.isAbandoned(run.claimID))
    }

    private func place() throws -> RemotePlace<Client> { try backend.place(specification.place) }

    // MARK: Creation

    /// Creates the task exactly once, even when answers are lost. A service without capacity or quota is asked again
    /// for as long as the specification permits.
    func start() async throws -> InfrastructureIdentifier {
        let place = try place()
        backend.inUse.beginCreation(for: run.claimID)
        defer { backend.inUse.endCreation(for: run.claimID, isAbandoned: Task.isCancelled) }
        let task = try await create(at: place)
        let identifier = place.client.identifier(of: task)
        backend.inUse.add(identifier.rawValue, isNew: true)
        if let url = place.client.consoleURL(of: task) {
            run.reporter.log(.info, "View the task in the console: \(url)")
        }
        return identifier
    }

    private func create(at place: RemotePlace<Client>) async throws -> String {
        let began = ContinuousClock.now
        var mayExist = false
        var reported: String?
        return try await retrying {
            if mayExist,
                let found = try await place.persistently({ try await place.client.find(specification, for: key) })
            {
                return found
            }
            return try await place.watch.source.noting { try await place.client.create(specification, for: key) }
        } pause: { (error: RemoteTaskError, failures) in
            switch error.kind {
            case .refused, .notFound:
                throw InfrastructureError(.refused, error.message, exitCode: error.exitCode)
            case .unavailable(let isUnapplied):
                mayExist = mayExist || !isUnapplied
            case .full:
                let waited = ContinuousClock.now - began
                if let patience = specification.capacityPatience, waited >= patience {
                    throw InfrastructureError(
                        .refused, "\(error.message). The run has waited for \(waited.components.seconds) s")
                }
                if reported != error.message, await run.reporter.reportPending(error.message) {
                    reported = error.message
                    run.reporter.log(.warning, "\(error.message). The worker tries again")
                }
            }
            return place.pause(after: error, failures)
        }
    }

    // MARK: Watching

    /// Waits until the task has ended. Meanwhile its output is printed, if the job requests that.
    func wait(for identifier: InfrastructureIdentifier) async throws -> ExitStatus {
        let place = try place()
        let task = try place.client.task(of: identifier)
        let isNew = backend.inUse.addReturningIsNew(identifier.rawValue)
        let hasEnded = ObservedValue(false)
        let status = await withTaskGroup(of: Void.self, returning: Client.Status??.self) { group in
            var last: Client.Status?
            var isPending = false
            if streamsOutput { group.addTask { await self.printOutput(of: task, isNew, at: place, until: hasEnded) } }
            for await notice in place.watch.notices(of: task) {
                switch notice {
                case .event: break
                case .status(let status):
                    place.client.report(status, after: last, of: task, to: run.reporter)
                    if let reason = place.client.reasonForWaiting(status), !isPending {
                        isPending = await run.reporter.reportPending(reason)
                    }
                    last = status
                case .end(let status):
                    if let status { place.client.report(status, after: last, of: task, to: run.reporter) }
                    hasEnded.update { $0 = true }
                    group.addTask { try? await Task.sleep(for: RemoteOutputLimits.rest) }
                    if streamsOutput { await group.next() }
                    group.cancelAll()
                    return .some(status)
                }
            }
            group.cancelAll()
            return nil
        }
        guard let end = status else { throw CancellationError() }
        return end.flatMap { place.client.end(of: $0) }
            ?? ExitStatus(code: nil, reason: "'\(identifier)' no longer exists: it was deleted by somebody else.")
    }

    /// Prints the output until the task has ended and a later reading finds nothing new.
    private func printOutput(
        of task: String, _ isNew: Bool, at place: RemotePlace<Client>, until hasEnded: ObservedValue<Bool>
    ) async {
        let mark = "\(run.flowRunID)-output"
        let source = OutputSource(flowRunID: run.flowRunID, flowRunName: run.flowRunName, stream: .output)
        var position = isNew ? nil : backend.marks.text(of: mark)
        while !Task.isCancelled {
            let isLast = hasEnded.value
            do {
                let portion = try await place.client.output(of: task, after: position)
                guard await backend.output.print(portion.bytes, of: source) else { return }
                if let reached = portion.position {
                    position = reached
                    backend.marks.set(text: reached, of: mark)
                }
                if portion.bytes.isEmpty, isLast { return }
                if !portion.bytes.isEmpty { continue }
            } catch let error as RemoteTaskError {
                // A task without a log yet, or one that is out of reach for a moment.
                if error.kind == .refused {
                    run.reporter.log(.warning, "The output of the run cannot be printed: \(error.message)")
                    return
                }
                if isLast, error.kind == .notFound { return }
            } catch {
                return
            }
            await raceOf(
                { await hasEnded.wait { $0 != isLast } },
                { try? await Task.sleep(for: isLast ? .milliseconds(500) : RemoteOutputLimits.interval) })
        }
    }

    // MARK: Stopping

    /// Requests that the task end, and ends it by force when it has not ended after its grace.
    func stop(_ identifier: InfrastructureIdentifier, grace: Duration, reason: StopReason) async throws {
        let place = try place()
        let task = try place.client.task(of: identifier)
        do {
            if reason == .cancelled, try await cancelsItself(task, at: place),
                try await place.watch.waitForEnd(of: task, within: grace + Client.hookTime)
            {
                return
            }
            try await place.watch.source.noting { try await place.client.stop(task, grace: grace, reason: reason) }
            place.watch.changed(task)
            if try await place.watch.waitForEnd(of: task, within: grace + Client.stopMargin) { return }
            try await place.watch.source.noting { try await place.client.kill(task) }
            guard await place.watch.waitForEnd(of: task) else { throw CancellationError() }
        } catch let error as RemoteTaskError {
            throw failure(error, "'\(identifier)' could not be stopped")
        }
    }

    /// Whether the task is a flow that runs and that ends by itself when it is cancelled.
    private func cancelsItself(_ task: String, at place: RemotePlace<Client>) async throws -> Bool {
        guard Client.hookTime > .zero, runsFlowEngine else { return false }
        let found = try await place.watch.source.noting { try await place.client.describe([task]) }
        guard let status = found[task] else { return false }
        return place.client.end(of: status) == nil && place.client.reasonForWaiting(status) == nil
    }

    // MARK: Recovery

    /// Finds the task by its identifier, or else by the key of its creation. A task that is not found is looked up
    /// again, since a service may not know a new task at once.
    func recover(_ identifier: InfrastructureIdentifier?) async throws -> RecoveredInfrastructure {
        let place: RemotePlace<Client>
        let task: String?
        do {
            place = try self.place()
            task = try identifier.map { try place.client.task(of: $0) }
        } catch let error as InfrastructureError where error.kind == .notReachable {
            return .outOfReach
        }
        do {
            for attempt in 1...Client.watchPolicy.absences {
                if let task, let identifier {
                    if try await place.watch.source.noting({ try await place.client.describe([task]) })[task] != nil {
                        return .present(identifier)
                    }
                } else if let found = try await place.watch.source.noting({
                    try await place.client.find(specification, for: key)
                }) {
                    return .present(place.client.identifier(of: found))
                }
                if attempt < Client.watchPolicy.absences { try await Task.sleep(for: Client.watchPolicy.absencePause) }
            }
            guard let identifier else {
                backend.inUse.forgetAbandoned(run.claimID)
                return .neverStarted
            }
            return .ended(identifier)
        } catch let error as RemoteTaskError {
            throw failure(error, "The task of the run could not be looked up")
        } catch let error as InfrastructureError where error.kind == .notReachable {
            return .outOfReach
        }
    }

    /// Deletes the task, unless the job keeps it.
    func cleanUp(_ identifier: InfrastructureIdentifier) async {
        backend.marks.remove("\(run.flowRunID)-output")
        if !specification.isKept, let place = try? place(), let task = try? place.client.task(of: identifier) {
            await backend.delete(task, at: place)
        }
        backend.inUse.remove(identifier.rawValue)
    }

    private func failure(_ error: RemoteTaskError, _ subject: String) -> InfrastructureError {
        let kind: InfrastructureError.Kind =
            switch error.kind {
            case .notFound: .notFound
            case .refused: .refused
            case .unavailable, .full: .unavailable
            }
        return InfrastructureError(kind, "\(subject): \(error.message)", exitCode: error.exitCode)
    }
}

/// The times of a remote workload.
private enum RemoteOutputLimits {
    /// The time between two readings of a log.
    static let interval = Duration.seconds(5)
    /// The longest wait for the rest of the output of a task that has ended.
    static let rest = Duration.seconds(10)
}
