internal import JSON
internal import JobTemplates
internal import Logging
internal import PrefectAPI

// The second step: from the API's objects to the backend's configuration.
extension RunExecution {
    /// Reads deployment and flow, renders the template and prepares the backend's configuration. A run that cannot be
    /// configured is ended.
    func configure(goingOnWith trace: TraceContext?) async throws -> Prepared? {
        do {
            let prepared = try await prepare(goingOnWith: trace)
            await enter(.configured)
            return prepared
        } catch let error as MissingDeployment {
            try await cancelForMissingDeployment(error.id)
        } catch let error as CancellationError {
            throw error
        } catch {
            try await reportFailedSubmission(error)
        }
        return nil
    }

    /// Makes the job of a run whose infrastructure exists already. Where its configuration cannot be made as it was,
    /// the backend's defaults have to do: the job is not started with it, only watched and stopped.
    func reconfigure() async throws -> Prepared {
        do {
            return try await prepare()
        } catch let error as CancellationError {
            throw error
        } catch {
            services.logger.warning(
                "Flow run '\(flowRun.name)' goes on, its configuration cannot be made again: \(error)")
            return try bare()
        }
    }

    /// The job with nothing but the backend's defaults.
    func bare() throws -> Prepared {
        prepared(try backend.configuration(rendered: [:]), flow: nil, deployment: nil)
    }

    /// The run's deployment does not exist any more.
    struct MissingDeployment: Error, CustomStringConvertible {
        let id: String

        var description: String { "its deployment \(id) no longer exists" }
    }

    /// The run itself cannot be read.
    struct UnreadableRun: Error, CustomStringConvertible {
        let reason: String

        var description: String { "the flow run is too large or nested too deep: \(reason)" }
    }

    /// Makes the run's job as the pool, the deployment and the blocks say at the moment.
    func prepare(goingOnWith trace: TraceContext? = nil) async throws -> Prepared {
        if let reason = flowRun.unreadable { throw UnreadableRun(reason: reason) }
        return try await persistently {
            async let readFlow = contexts.flow(id: flowRun.flowID)
            let deployment = try await readDeployment()
            let flow = try await readFlow
            let preparation = JobPreparation(
                backend: backend, environment: services.environment,
                settingsEnvironment: services.settingsEnvironment.value,
                allowedJobVariables: served.allowedJobVariables,
                references: RecordingReferences(
                    APITemplateReferences(api: api, effort: .persistent), recording: reporter.secrets))
            let subject = JobSubject(
                pool: pool, deployment: deployment, flow: flow, flowRun: flowRun, workerName: served.workerName,
                workerID: workerID, traceContext: trace)
            let configuration = try await work(.configuring) { try await preparation.configuration(subject) }
            return prepared(configuration, flow: flow, deployment: deployment)
        }
    }

    private func readDeployment() async throws -> Deployment? {
        guard let id = flowRun.deploymentID else { return nil }
        do {
            return try await contexts.deployment(id: id, since: held.takenAt)
        } catch let error as APIError where error.isNotFound {
            throw MissingDeployment(id: id)
        }
    }

    private func prepared(
        _ configuration: Backend.Configuration, flow: Flow?, deployment: Deployment?
    ) -> Prepared {
        let related = WorkerEvents.resources(of: flowRun, flow: flow, deployment: deployment, pool: pool)
        reporter.setRelated(related + [events.relatedWorker])
        let job = Job(
            flowRunID: flowRun.id, flowRunName: flowRun.name, claimID: held.transitions.claim,
            deploymentID: deployment?.hasFlowCode == true ? deployment?.id : nil, configuration: configuration,
            reporter: reporter)
        return Prepared(
            job: job, related: related,
            relatedToCancellation: WorkerEvents.resourcesOfCancellation(of: flowRun, flow: flow, deployment: deployment)
        )
    }

    func reportFailedSubmission(_ error: any Error) async throws {
        held.setOutcome(.failedToStart)
        reporter.log(.error, "Failed to submit flow run '\(flowRun.name)' to infrastructure: \(error)")
        _ = try await proposePersistently(.crashed("Failed to submit flow run to infrastructure: \(error)"))
    }
}
