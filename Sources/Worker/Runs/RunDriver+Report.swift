internal import JSON
internal import Logging
internal import OrderedCollections
internal import PrefectAPI

// The steps that wait for the end of the infrastructure, or bring it about, and report it where the run could not.
extension RunDriver {
    /// Waits for the end of the infrastructure, and stops it when that is asked for.
    func watch(_ memory: Memory) async throws {
        let job = try memory.job()
        guard let identifier = held.identifier else { throw MissingJob() }
        async let _: Void = leaveUnlessEnded()
        // The end of the infrastructure must not cut off a stop that is under way: all of it has to end. So the two run side
        // by side, and the end tells the other that there is nothing more to wait for.
        async let stopping: Void = stopWhenAsked(identifier, job)
        let status = try await waitForEnd(identifier, job)
        held.setExit(status.mapTexts(reporter.redact))
        try await take(.ended(end(status, job)))
        await stopping
    }

    /// How infrastructure ended, as far as that decides what is reported.
    func end(_ status: ExitStatus, _ job: Job<Backend.Configuration>) -> RunMachine.End {
        switch status.conclusion {
        case .stateReported(type: "CANCELLED", _): .cancelled
        case .stateReported: .reported
        case .abortedByAPI: .aborted
        case nil:
            switch status.code {
            case nil: .unseen
            // A command of the user's own that ends well needs no report.
            case 0: job.configuration.runsFlowEngine ? .silent : .reported
            default: Backend.outlivesWorker ? .failedOrGaveBack : .failed
            }
        }
    }

    /// Leaves a run that an earlier process has started and that this one does not wait for, unless it ends within 10 s.
    private func leaveUnlessEnded() async {
        guard served.runsOnce, Backend.isDoneOnceStarted else { return }
        if (try? await Task.sleep(for: .seconds(10))) != nil { held.requestLeave() }
    }

    private func waitForEnd(
        _ identifier: InfrastructureIdentifier, _ job: Job<Backend.Configuration>
    ) async throws -> ExitStatus {
        try await withThrowingTaskGroup(of: ExitStatus?.self) { group in
            group.addTask {
                do {
                    return try await backend.wait(for: identifier, job: job)
                } catch let error as InfrastructureError where error.kind == .notFound {
                    // It has ended, and nobody saw how.
                    return ExitStatus(code: nil)
                }
            }
            group.addTask {
                await held.waitForLeave()
                if held.isToBeLeft { throw CancellationError() }
                return nil
            }
            while let result = try await group.next() {
                guard let status = result else { continue }
                group.cancelAll()
                return status
            }
            throw CancellationError()
        }
    }

    private func stopWhenAsked(_ identifier: InfrastructureIdentifier, _ job: Job<Backend.Configuration>) async {
        guard let reason = await held.waitForStopRequest() else { return }
        switch reason {
        case .cancelled: reporter.log(.info, "Cancelling flow run '\(flowRun.name)': stopping '\(identifier)'")
        case .shutdown: reporter.log(.warning, "The worker shuts down: stopping flow run '\(flowRun.name)'")
        }
        while !held.hasEnded, !Task.isCancelled {
            do {
                try await backend.stop(identifier, job: job, grace: served.stopGrace, reason: reason)
                return
            } catch let error as InfrastructureError where error.kind == .unavailable {
                // Nobody else asks again: the run would continue for ever.
                reporter.log(.warning, "Flow run '\(flowRun.name)' could not be stopped, trying again: \(error)")
                await held.waitForEnd(atMost: served.cancellationPollInterval)
            } catch let error as InfrastructureError where error.kind == .notFound {
                // It has ended by itself.
                return
            } catch {
                if !(error is CancellationError) {
                    reporter.log(.error, "Flow run '\(flowRun.name)' could not be stopped: \(error)")
                }
                return
            }
        }
    }

    // MARK: What is to be reported

    /// Reads whether a run of an earlier process is this worker's still and has not ended.
    func readBeforeReport() async throws {
        let status = try await readStatus()?.status ?? .unread
        try await take(.status(status))
        if held.machine.step == .conclude, !(status.isOurs && status.isActive) {
            reporter.log(.debug, "Flow run '\(flowRun.name)' has ended or is another worker's now")
        }
    }

    /// Reads the state that decides what is to be reported.
    func readAfterEnd(_ memory: inout Memory) async throws {
        let current = try await readRun()
        memory.state = current?.state ?? .null
        let reading = RunMachine.Reading(current)
        let isCancelled = held.stopReason == .cancelled
        switch reading {
        case .ended where isCancelled:
            reporter.log(
                .info, "Flow run '\(flowRun.name)' ended as '\(current?.stateName ?? "")' before it was cancelled")
        case .waiting where !isCancelled && Backend.outlivesWorker:
            reporter.log(
                .info,
                "Flow run '\(flowRun.name)' is '\(current?.stateName ?? "")': its infrastructure has given it back")
        default: break
        }
        try await take(.read(reading))
    }

    /// Reports a run as crashed whose infrastructure ended without a final state.
    func crash(_ memory: inout Memory) async throws {
        let job = try memory.job()
        let status = held.exit ?? ExitStatus(code: nil)
        // A flow engine that ends well without a final state has left its run unfinished.
        let report =
            status.code == 0
            ? CrashReport(
                "The flow's process ended without an error and without setting a final state.", ExitStatus(code: 0),
                resolution: nil)
            : CrashReport(status)
        switch try await proposePersistently(.crashed(report.message)) {
        case .accepted(let state)?:
            report.log(flowRunID: flowRun.id, to: reporter, outputIsPrinted: job.configuration.streamsOutput)
            await backend.runHooks(.crashed, state: state, of: held.identifier, job: job)
            try await take(.done)
        case .rejected(let current, _)? where current["type"] == "CANCELLING":
            memory.state = current
            try await take(.refusedForCancellation)
        default: try await take(.refused)
        }
    }

    /// Ends a run that is being cancelled and whose infrastructure is gone.
    func cancel(_ memory: Memory) async throws {
        let made = try memory.made()
        // An engine that is stopped in the middle of its flow may have set Crashed, which its hooks are not for.
        let cancelling: JSONValue =
            memory.state["type"] == "CANCELLING" ? memory.state : ["type": "CANCELLING", "name": "Cancelling"]
        await backend.runHooks(.cancellation, state: cancelling, of: held.identifier, job: made.job)
        let end = StateProposal.cancelled("Flow run was cancelled successfully.")
        if case .accepted? = try await proposePersistently(end, force: true) {
            events.cancelled(related: made.relatedToCancellation)
            reporter.log(.info, "Flow run '\(flowRun.name)' was cancelled")
        }
        try await take(.done)
    }

    /// Sends the event of a run that ended as cancelled by itself after the worker's request. Infrastructure that
    /// outlives the worker has a runner of its own, which sends that event.
    func noteCancelled(_ memory: Memory) async throws {
        if !Backend.outlivesWorker { events.cancelled(related: try memory.made().relatedToCancellation) }
        try await take(.done)
    }

    /// Sends the event of the end.
    func conclude(_ memory: Memory) async throws {
        guard let identifier = held.identifier else { throw MissingJob() }
        if case .stateReported? = held.exit?.conclusion, held.stopReason != .cancelled {
            reporter.log(.debug, "Flow run '\(flowRun.name)' reported its own outcome")
        }
        let code = held.exit.map { $0.conclusion == nil ? $0.code ?? -1 : 0 } ?? -1
        events.executed(
            related: try memory.made().related, identifier: identifier, statusCode: code, after: memory.submitted)
        try await take(.done)
    }

    /// Removes what the run leaves behind.
    func cleanUp(_ memory: Memory) async throws {
        let job = try memory.job()
        if let identifier = held.identifier {
            await mark.during(.cleaningUp) { await backend.cleanUp(identifier, job: job) }
        }
        try await take(.done)
    }

    // MARK: Recording the infrastructure

    /// Records at the API which worker runs the flow run, and on which infrastructure, as far as it does not know. The two
    /// requests follow each other: both write the same row, and a server on SQLite refuses one of two at the same time.
    func recordInfrastructure(_ identifier: InfrastructureIdentifier) async {
        if !held.machine.isRecovered || flowRun.infrastructurePID != identifier.rawValue {
            await recordIdentifier(identifier)
        }
        await label()
    }

    /// Records the run's infrastructure at the API, so that others can stop it.
    private func recordIdentifier(_ identifier: InfrastructureIdentifier) async {
        do {
            try await persistently {
                try await api.setInfrastructurePID(identifier.rawValue, ofFlowRun: flowRun.id, effort: .persistent)
            }
        } catch let error as APIError {
            reporter.log(.warning, "The flow run's infrastructure '\(identifier)' could not be recorded: \(error)")
        } catch {
            // The worker shuts down; the next one records it, if the run still runs then.
        }
    }

    /// Puts the worker's labels on the run, for as long as it takes. They help people to find things; a run does not
    /// fail for want of them.
    private func label() async {
        let labels: OrderedDictionary<String, String> = [
            "prefect.worker.name": served.workerName, "prefect.worker.type": Backend.workerType,
            "prefect.work-pool.name": pool.name, "prefect.work-pool.id": pool.id,
        ]
        // An earlier attempt at the run, or an earlier process, may have set the same.
        if labels.allSatisfy({ flowRun.labels[$0.key] == .string($0.value) }) { return }
        do {
            try await persistently { try await api.addLabels(labels, toFlowRun: flowRun.id, effort: .persistent) }
        } catch {
            services.logger.debug("Flow run '\(flowRun.name)' has no worker labels: \(error)")
        }
    }
}
