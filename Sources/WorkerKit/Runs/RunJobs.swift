internal import BackendKit
internal import JobTemplates
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON

/// Makes the job of one flow run from the current data of the API.
struct RunJobs: Sendable {
    let runs: PoolRuns
    let flowRun: KnownRun
    let pool: WorkPool
    /// The id of the worker's claim on the run.
    let claimID: String
    /// The deployment of the job is not older than this moment.
    let deploymentSince: ContinuousClock.Instant
    let reporter: RunReporter

    /// A job, and the objects that the worker's events of its run are related to.
    struct Prepared: Sendable {
        var workload: any Workload
        /// The objects that the worker's events of the run are related to.
        let related: RelatedObjects

        /// Keeps only what is needed once the infrastructure exists.
        mutating func reduce() { workload = workload.afterStart }
    }

    /// The error for a run whose deployment no longer exists.
    struct MissingDeployment: Error, CustomStringConvertible {
        let id: String

        var description: String { "its deployment \(id) no longer exists" }
    }

    /// The error for a run that itself cannot be read.
    struct UnreadableRun: Error, CustomStringConvertible {
        let reason: String

        var description: String { "the flow run is too large or nested too deep: \(reason)" }
    }

    private var services: WorkerServices { runs.services }

    /// Reads the deployment and the flow, so that they are known when the job is made.
    func readObjects() async throws {
        async let flow = runs.contexts.flow(id: flowRun.flowID)
        _ = try await readDeployment()
        _ = try await flow
    }

    /// Makes the job from the current pool, deployment and blocks. Waits while the API is unavailable.
    ///
    /// - Parameters:
    ///   - trace: The trace that the job continues; `nil` means the trace of the run.
    ///   - mark: Marks in the ledger that the configuration is being made; `nil` for a run that the ledger does not
    ///     hold.
    /// - Throws: ``MissingDeployment``, ``UnreadableRun``, errors of the API and of the template.
    func prepare(continuing trace: TraceContext? = nil, mark: RunWorkMark? = nil) async throws -> Prepared {
        if let reason = flowRun.unreadable { throw UnreadableRun(reason: reason) }
        return try await services.persistently {
            async let readFlow = runs.contexts.flow(id: flowRun.flowID)
            let deployment = try await readDeployment()
            let flow = try await readFlow
            let preparation = JobPreparation(
                backend: runs.backend, environment: services.environment,
                settingsEnvironment: services.settingsEnvironment.value,
                allowedJobVariables: runs.served.allowedJobVariables,
                references: RecordingReferences(
                    APITemplateReferences(api: services.api, effort: .persistent), recording: reporter.secrets))
            let subject = JobSubject(
                pool: pool, deployment: deployment, flow: flow, flowRun: flowRun, workerName: runs.served.workerName,
                workerID: runs.state.workerID, traceContext: trace)
            return try await prepared(flow: flow, deployment: deployment) { run in
                guard let mark else { return try await preparation.workload(subject, for: run) }
                return try await mark.during(.configuring) { try await preparation.workload(subject, for: run) }
            }
        }
    }

    /// The job with only the backend's defaults, which is enough to watch and to stop existing infrastructure.
    func bare() async throws -> Prepared {
        try await prepared(flow: nil, deployment: nil) { run in
            try runs.backend.workload(rendered: [:], for: run, preparing: nil)
        }
    }

    private func readDeployment() async throws -> Deployment? {
        guard let id = flowRun.deploymentID else { return nil }
        do {
            return try await runs.contexts.deployment(id: id, since: deploymentSince)
        } catch let error as APIError where error.isNotFound {
            throw MissingDeployment(id: id)
        }
    }

    private func prepared(
        flow: Flow?, deployment: Deployment?, _ makeWorkload: (RunContext) async throws -> any Workload
    ) async throws -> Prepared {
        let related = RelatedObjects(flowRun, flow: flow, deployment: deployment, pool: pool)
        let run = RunContext(
            flowRunID: flowRun.id, flowRunName: flowRun.name, claimID: claimID,
            deploymentID: deployment?.entrypoint == nil ? nil : deployment?.id.text, reporter: reporter)
        let workload = try await makeWorkload(run)
        reporter.setRelated { [events = runs.events] in related.resources + [events.relatedWorker] }
        return Prepared(workload: workload, related: related)
    }
}
