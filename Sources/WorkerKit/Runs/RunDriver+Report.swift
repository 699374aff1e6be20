internal import BackendKit
internal import Logging
internal import OrderedCollections
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON

// The steps that wait for the end of the infrastructure or stop it, and report an end that the run could not report.
extension RunDriver {
    /// Waits in a task of the group until the infrastructure ends, and stops it on request. Throws `CancellationError`
    /// when this process is to pass the run to a later one.
    func watch(
        _ identifier: InfrastructureIdentifier, _ memory: Memory, _ group: inout ThrowingDiscardingTaskGroup<any Error>
    ) async throws {
        let workload = try memory.workload()
        addTasks(to: &group, identifier, workload)
        await active.waitForRequest()
        if active.isToBeStopped { await stopUntilLeft(identifier, workload) }
        try await active.waitForEndOfWatch()
    }

    @inline(never)
    private func addTasks(
        to group: inout ThrowingDiscardingTaskGroup<any Error>, _ identifier: InfrastructureIdentifier,
        _ workload: any Workload
    ) {
        group.addTask {
            do {
                let status = try await exitStatus(of: identifier, workload)
                try await inChildTask { try await note(status, workload) }
                active.endWatch(.success(()))
            } catch {
                active.endWatch(.failure(error))
            }
        }
        if isDoneOnceStarted { group.addTask { await leaveUnlessEnded() } }
    }

    private func note(_ status: ExitStatus, _ workload: any Workload) async throws {
        active.setExit(status.mapTexts(reporter.redact))
        try await take(.ended(end(status, workload)))
    }

    /// How infrastructure ended, in the detail that decides what the worker reports.
    func end(_ status: ExitStatus, _ workload: any Workload) -> RunMachine.End {
        switch status.conclusion {
        case .stateReported(type: "CANCELLED", _): .cancelled
        case .stateReported: .reported
        case .abortedByAPI: .aborted
        case nil:
            switch status.code {
            case nil: .unseen
            // A user's command that ends without an error needs no report.
            case 0: workload.runsFlowEngine ? .silent : .reported
            default: backend.traits.outlivesWorker ? .failedOrGaveBack : .failed
            }
        }
    }

    /// Passes a run of an earlier process to the next process, unless the run ends within 10 s. This applies to a
    /// worker that does not wait for such runs.
    private func leaveUnlessEnded() async {
        await active.waitForEnd(atMost: .seconds(10))
        if !active.hasEnded, !Task.isCancelled { active.requestLeave() }
    }

    @inline(__always)
    private func exitStatus(
        of identifier: InfrastructureIdentifier, _ workload: any Workload
    ) async throws -> ExitStatus {
        do {
            return try await workload.wait(for: identifier)
        } catch let error as InfrastructureError where error.kind == .notFound {
            // It has ended, and how it ended is unknown.
            return ExitStatus(code: nil)
        }
    }

    /// Stops the infrastructure. Returns when it has ended, or when this process is to pass the run to a later one.
    private func stopUntilLeft(_ identifier: InfrastructureIdentifier, _ workload: any Workload) async {
        guard let reason = active.stopReason else { return }
        async let stopping: Void = stop(identifier, workload, reason)
        await active.waitForLeave()
        if active.hasEnded { await stopping }
    }

    private func stop(
        _ identifier: InfrastructureIdentifier, _ workload: any Workload, _ reason: StopReason
    ) async {
        switch reason {
        case .cancelled: reporter.log(.info, "Cancelling flow run '\(flowRun.name)': stopping '\(identifier)'")
        case .shutdown: reporter.log(.warning, "The worker shuts down: stopping flow run '\(flowRun.name)'")
        }
        while !active.hasEnded, !Task.isCancelled {
            do {
                try await workload.stop(identifier, grace: served.stopGrace, reason: reason)
                return
            } catch let error as InfrastructureError where error.kind == .unavailable {
                // No other part of the worker repeats the stop, so the run would continue forever.
                reporter.log(.warning, "Flow run '\(flowRun.name)' could not be stopped, trying again: \(error)")
                await active.waitForEnd(atMost: served.cancellationPollInterval)
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

    // MARK: Reporting the end

    /// Reads whether a run of an earlier process is still this worker's and has not ended.
    func readBeforeReport() async throws {
        let status = try await readStatus()
        try await take(.status(status))
        if active.machine.step == .conclude, !(status.isOurs && status.isActive) {
            reporter.log(
                .info,
                """
                Flow run '\(flowRun.name)' has ended, is scheduled again or belongs to another worker: not reporting \
                its end
                """)
        }
    }

    /// Reads the run's state, which decides what the worker reports.
    func readAfterEnd(_ memory: Memory) async throws {
        let current = try await readRun()
        memory.state = current?.state
        let reading = RunMachine.Reading(current)
        let isCancelled = active.stopReason == .cancelled
        switch reading {
        case .ended where isCancelled:
            reporter.log(
                .info, "Flow run '\(flowRun.name)' ended as '\(current?.stateName ?? "")' before it was cancelled")
        default: break
        }
        try await take(.read(reading))
    }

    /// Reports that a run has crashed, because its infrastructure ended without a final state.
    func crash(_ memory: Memory) async throws {
        let workload = try memory.workload()
        let status = active.exit ?? ExitStatus(code: nil)
        // A flow engine that ends without an error and without a final state has not finished its run.
        let report =
            status.code == 0
            ? CrashReport(
                "The flow's process ended without an error and without setting a final state.", ExitStatus(code: 0),
                resolution: nil)
            : CrashReport(status)
        switch try await proposeCrash(report.message) {
        case .accepted(let state):
            report.log(flowRunID: flowRun.id, to: reporter, outputIsPrinted: workload.streamsOutput)
            await runHooks(.crashed, state: state, of: workload)
            try await take(.done)
        case .cancelling(let state):
            memory.state = state
            try await take(.refusedForCancellation)
        case .refused: try await take(.refused)
        }
    }

    /// Runs the flow's own hooks for a state, where the backend can.
    private func runHooks(_ kind: FlowHook, state: State?, of workload: any Workload) async {
        guard let runner = workload as? any FlowHookRunner else { return }
        await runner.runHooks(kind, state: state?.jsonValue ?? .null, of: active.identifier)
    }

    /// Ends a run that is being cancelled and whose infrastructure has ended.
    func cancel(_ memory: Memory) async throws {
        let made = try memory.made()
        // An engine that is stopped in the middle of its flow may have set Crashed. The cancellation hooks are not for
        // that state.
        let cancelling =
            memory.state?.type == .cancelling
            ? memory.state : State(unchecked: ["type": "CANCELLING", "name": "Cancelling"])
        await runHooks(.cancellation, state: cancelling, of: made.workload)
        let end = StateCreate.cancelled("Flow run was cancelled successfully.")
        if case .accepted? = try await proposePersistently(end, force: true) {
            events.cancelled(related: made.related)
            reporter.log(.info, "Flow run '\(flowRun.name)' was cancelled")
        }
        try await take(.done)
    }

    /// Sends the event of a run that set Cancelled itself after the worker's request. Infrastructure that outlives the
    /// worker has its own runner, which sends that event.
    func noteCancelled(_ memory: Memory) async throws {
        if !backend.traits.outlivesWorker { events.cancelled(related: try memory.made().related) }
        try await take(.done)
    }

    /// Sends the event that the worker has executed the run.
    func conclude(_ memory: Memory) async throws {
        guard let identifier = active.identifier else { throw MissingJob() }
        if case .stateReported? = active.exit?.conclusion, active.stopReason != .cancelled {
            reporter.log(.debug, "Flow run '\(flowRun.name)' reported its own outcome")
        }
        let code = active.exit.map { $0.conclusion == nil ? $0.code ?? -1 : 0 } ?? -1
        events.executed(
            related: try memory.made().related, identifier: identifier, statusCode: code, after: memory.submitted)
        try await take(.done)
    }

    /// Removes the run's resources.
    func cleanUp(_ memory: Memory) async throws {
        let workload = try memory.workload()
        if let identifier = active.identifier {
            await mark.during(.cleaningUp) { await workload.cleanUp(identifier) }
        }
        try await take(.done)
    }

    // MARK: Recording the infrastructure

    /// Records at the API which worker runs the flow run, and on which infrastructure, where the API lacks these
    /// values. The two requests follow each other, because both write the same row. A server on SQLite refuses one of
    /// two requests at the same time.
    func recordInfrastructure(_ identifier: InfrastructureIdentifier) async {
        if !active.machine.isRecovered || flowRun.infrastructurePID != identifier.rawValue {
            await recordIdentifier(identifier)
        }
        await label()
    }

    /// Records the run's infrastructure at the API, so that others can stop it.
    private func recordIdentifier(_ identifier: InfrastructureIdentifier) async {
        do {
            try await persistently {
                try await api.updateFlowRun(
                    id: flowRun.uuid, FlowRunUpdate { $0.infrastructurePID = identifier.rawValue },
                    effort: .persistent)
            }
        } catch let error as APIError {
            reporter.log(.warning, "The flow run's infrastructure '\(identifier)' could not be recorded: \(error)")
        } catch {
            // The worker shuts down. The next process records the infrastructure if the run still runs then.
        }
    }

    /// Adds the worker's labels to the run, for as long as it takes. They only help people to search, and a run does
    /// not fail without them.
    private func label() async {
        let labels: OrderedDictionary<String, String> = [
            "prefect.worker.name": served.workerName, "prefect.worker.type": backend.traits.type,
            "prefect.work-pool.name": pool.name, "prefect.work-pool.id": pool["id"]?.stringValue ?? "",
        ]
        // An earlier attempt at the run, or an earlier process, may have set the same labels.
        if labels.allSatisfy({ flowRun.labels[$0.key] == .string($0.value) }) { return }
        do {
            try await persistently {
                try await api.updateFlowRunLabels(
                    id: flowRun.uuid, labels.mapValues(JSONValue.string), effort: .persistent)
            }
        } catch {
            logger.debug("Flow run '\(flowRun.name)' has no worker labels: \(error)")
        }
    }
}
