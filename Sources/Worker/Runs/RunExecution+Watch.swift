internal import PrefectAPI

// The fourth step: waiting for the end of the infrastructure, or bringing it about.
extension RunExecution {
    /// Watches the infrastructure to its end and reports that. Meanwhile the infrastructure is recorded at the API.
    func accompany(
        _ identifier: InfrastructureIdentifier, _ prepared: Prepared, submitted: Event?
    ) async throws {
        if served.runsOnce, Backend.isDoneOnceStarted, !isRecovered {
            await recordInfrastructure(identifier)
            throw CancellationError()
        }
        try await recordingInfrastructure(identifier) {
            async let _: Void = leaveUnlessEnded()
            let status = try await watch(identifier, prepared)
            try await report(status, of: identifier, prepared, submitted: submitted)
        }
    }

    /// Records the infrastructure at the API while `body` brings the run to its end, and waits for both.
    func recordingInfrastructure(
        _ identifier: InfrastructureIdentifier, while body: () async throws -> Void
    ) async throws {
        async let recorded: Void = recordInfrastructure(identifier)
        try await body()
        await recorded
    }

    /// Leaves a run that an earlier process has started and that this one does not wait for, unless it ends within 10 s.
    private func leaveUnlessEnded() async {
        guard served.runsOnce, Backend.isDoneOnceStarted else { return }
        if (try? await Task.sleep(for: .seconds(10))) != nil { held.requestLeave() }
    }

    /// Waits for the end of the infrastructure, and brings it about when that is asked for.
    private func watch(_ identifier: InfrastructureIdentifier, _ prepared: Prepared) async throws -> ExitStatus {
        // The end of the infrastructure must not cut off a stop that is under way: what is left of it has to go too.
        // So the two run side by side, and the end tells the other that nothing is left to be asked for.
        async let stopping: Void = stopWhenAsked(identifier, prepared)
        defer { held.advance(to: .exited) }
        let status = try await waitForEnd(identifier, prepared)
        held.setExit(status.mapTexts(reporter.redact))
        await enter(.exited)
        await stopping
        return status
    }

    private func waitForEnd(_ identifier: InfrastructureIdentifier, _ prepared: Prepared) async throws -> ExitStatus {
        try await withThrowingTaskGroup(of: ExitStatus?.self) { group in
            group.addTask {
                do {
                    return try await backend.wait(for: identifier, job: prepared.job)
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

    /// Records at the API which worker runs the flow run, and on which infrastructure, as far as it does not know. The two
    /// requests follow each other: both write the same row, and a server on SQLite refuses one of two at the same time.
    private func recordInfrastructure(_ identifier: InfrastructureIdentifier) async {
        if !isRecovered || flowRun.infrastructurePID != identifier.rawValue { await recordIdentifier(identifier) }
        await label()
    }

    /// Tells the API what runs the flow run, so that others can stop it.
    private func recordIdentifier(_ identifier: InfrastructureIdentifier) async {
        do {
            try await persistently {
                try await api.setInfrastructurePID(identifier.rawValue, ofFlowRun: flowRun.id, effort: .persistent)
            }
        } catch let error as APIError {
            reporter.log(.warning, "The flow run's infrastructure '\(identifier)' could not be recorded: \(error)")
        } catch {
            // The worker leaves; the next one says it, if the run still runs then.
        }
    }

    private func stopWhenAsked(_ identifier: InfrastructureIdentifier, _ prepared: Prepared) async {
        guard let reason = await held.waitForStopRequest() else { return }
        switch reason {
        case .cancelled: reporter.log(.info, "Cancelling flow run '\(flowRun.name)': stopping '\(identifier)'")
        case .shutdown: reporter.log(.warning, "The worker shuts down: stopping flow run '\(flowRun.name)'")
        }
        while !held.hasEnded, !Task.isCancelled {
            do {
                try await backend.stop(identifier, job: prepared.job, grace: served.stopGrace, reason: reason)
                return
            } catch let error as InfrastructureError where error.kind == .unavailable {
                // Nobody else asks again: the run would go on for ever.
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
}
