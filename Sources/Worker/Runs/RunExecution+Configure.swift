internal import JobTemplates
internal import PrefectAPI

// The second step: from the API's objects to the backend's configuration.
extension RunExecution {
    /// Reads deployment and flow, renders the template and prepares the backend's configuration.
    func configure() async throws -> Prepared? {
        do {
            async let readFlow = contexts.flow(id: flowRun.flowID)
            let deployment: Deployment?
            if let id = flowRun.deploymentID {
                do {
                    deployment = try await contexts.deployment(id: id)
                } catch let error as APIError where error.isNotFound {
                    try await cancelForMissingDeployment(id)
                    return nil
                }
            } else {
                deployment = nil
            }
            let flow = try await readFlow
            let configuration = try await JobPreparation(
                backend: backend, environment: services.environment, settingsEnvironment: services.settingsEnvironment,
                references: RecordingReferences(
                    APITemplateReferences(api: api, effort: .persistent), recording: reporter.secrets)
            ).configuration(
                JobSubject(
                    pool: pool, deployment: deployment, flow: flow, flowRun: flowRun, workerName: served.workerName,
                    workerID: workerID))
            let related = WorkerEvents.resources(of: flowRun, flow: flow, deployment: deployment, pool: pool)
            reporter.setRelated(related + [events.relatedWorker])
            held.advance(to: .configured)
            return Prepared(
                job: Job(
                    flowRunID: flowRun.id, flowRunName: flowRun.name,
                    deploymentID: deployment?.hasFlowCode == true ? deployment?.id : nil,
                    configuration: configuration, reporter: reporter),
                related: related)
        } catch let error as CancellationError {
            throw error
        } catch {
            try await reportFailedSubmission(error)
            return nil
        }
    }

    func reportFailedSubmission(_ error: any Error) async throws {
        reporter.log(.error, "Failed to submit flow run '\(flowRun.name)' to infrastructure: \(error)")
        _ = try await proposePersistently(.crashed("Failed to submit flow run to infrastructure: \(error)"))
    }
}
