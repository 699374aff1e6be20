internal import PrefectAPI

// The fourth step: waiting for the end of the infrastructure, or bringing it about.
extension RunExecution {
    /// Waits for the end of the infrastructure, and brings it about when that is asked for.
    func watch(_ identifier: InfrastructureIdentifier, _ prepared: Prepared) async throws -> ExitStatus {
        // The end of the infrastructure must not cut off a stop that is under way: what is left of it has to go too.
        // So the two run side by side, and the end tells the other that nothing is left to be asked for.
        async let stopping: Void = stopWhenAsked(identifier, prepared)
        // Nothing waits for the labels, the run's end excepted: a run that is over in no time has them all the same.
        async let labelled: Void = label()
        defer { held.advance(to: .exited) }
        let status = try await waitForEnd(identifier, prepared)
        held.setExit(status.mapTexts(reporter.redact))
        await enter(.exited)
        await stopping
        await labelled
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
                await recordIdentifier(identifier)
                return nil
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

    /// Tells the API what runs the flow run, so that others can stop it.
    private func recordIdentifier(_ identifier: InfrastructureIdentifier) async {
        do {
            try await api.setInfrastructurePID(identifier.rawValue, ofFlowRun: flowRun.id, effort: .persistent)
        } catch let error as APIError {
            reporter.log(.warning, "The flow run's infrastructure '\(identifier)' could not be recorded: \(error)")
        } catch {
            // The run has ended or the worker leaves: nobody needs the identifier any more.
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
