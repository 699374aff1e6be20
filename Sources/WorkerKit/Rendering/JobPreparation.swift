package import BackendKit
package import JobTemplates
internal import OrderedCollections
package import PrefectClient
package import PrefectJSON

/// The objects from which a job configuration is made.
package struct JobSubject: Sendable {
    /// The work pool with its template.
    package var pool: WorkPool
    /// The run's deployment, when it has one.
    package var deployment: Deployment?
    /// The run's flow; `nil` only when it is not known offline.
    package var flow: Flow?
    /// The run.
    package var flowRun: KnownRun
    /// The worker's name.
    package var workerName: String?
    /// The worker's id, where the API has assigned one.
    package var workerID: String?
    /// The trace that the job continues; `nil` means the trace of the run.
    package var traceContext: TraceContext?

    /// The objects.
    package init(
        pool: WorkPool, deployment: Deployment?, flow: Flow?, flowRun: KnownRun,
        workerName: String?,
        workerID: String?, traceContext: TraceContext? = nil
    ) {
        self.pool = pool
        self.deployment = deployment
        self.flow = flow
        self.flowRun = flowRun
        self.workerName = workerName
        self.workerID = workerID
        self.traceContext = traceContext
    }
}

/// Renders the template of a pool for one flow run, with values from deployments, runs, blocks and variables.
package struct JobRendering: Sendable {
    private let defaultTemplate: BaseJobTemplate
    private let environment: [String: String]
    private let references: any TemplateReferences
    private let privileges: JobPrivileges

    /// A rendering.
    ///
    /// - Parameters:
    ///   - defaultTemplate: The template for a pool that has none.
    ///   - environment: The environment of the worker's process.
    ///   - references: The source of blocks and variables.
    package init(
        defaultTemplate: BaseJobTemplate, environment: [String: String], references: any TemplateReferences
    ) {
        self.init(
            defaultTemplate: defaultTemplate, environment: environment, references: references,
            privileges: JobPrivileges(fields: [], allowed: []))
    }

    init(
        defaultTemplate: BaseJobTemplate, environment: [String: String], references: any TemplateReferences,
        privileges: JobPrivileges
    ) {
        self.privileges = privileges
        self.defaultTemplate = defaultTemplate
        self.environment = environment
        self.references = references
    }

    /// The job configuration that the template yields, before it is prepared for the run.
    package func render(_ subject: JobSubject) async throws -> JSONValue {
        let template =
            subject.pool.baseJobTemplate.isEmpty
            ? defaultTemplate : try BaseJobTemplate(json: .object(subject.pool.baseJobTemplate))
        let variables = try JobVariables(
            deployment: subject.deployment.map { .object($0.jobVariables) }, flowRun: subject.flowRun.jobVariables)
        try privileges.check(variables, template, pool: subject.pool.name)
        return try await JobRenderer(template: template, environment: environment, references: references)
            .render(jobVariables: variables.json)
    }
}

/// Makes the workload of one flow run from the API's objects, to run it or to show its configuration.
package struct JobPreparation: Sendable {
    private let backend: any Backend
    private let environment: [String: String]
    private let settingsEnvironment: [(name: String, value: String)]
    private let rendering: JobRendering

    /// A preparation for a backend.
    ///
    /// - Parameters:
    ///   - settingsEnvironment: Prefect's settings in the form that jobs receive.
    ///   - allowedJobVariables: The job variables that deployments and flow runs may set although they fill privileged
    ///     fields of the backend.
    ///   - references: The source of blocks and variables.
    package init(
        backend: any Backend, environment: [String: String], settingsEnvironment: [(name: String, value: String)],
        allowedJobVariables: Set<String> = [], references: any TemplateReferences
    ) {
        self.backend = backend
        self.environment = environment
        self.settingsEnvironment =
            backend.traits.inheritsEnvironment
            ? settingsEnvironment : settingsEnvironment.filter { !WorkerSettings.areSet(by: $0.name) }
        rendering = JobRendering(
            defaultTemplate: backend.traits.baseJobTemplate, environment: environment, references: references,
            privileges: JobPrivileges(fields: backend.traits.privilegedFields, allowed: allowedJobVariables))
    }

    /// The workload of a run, with the complete configuration.
    package func workload(_ subject: JobSubject, for run: RunContext) async throws -> any Workload {
        let context = PreparationContext(
            flowRun: subject.flowRun.record.jsonValue, flow: subject.flow?.jsonValue,
            deployment: subject.deployment?.jsonValue,
            workPool: .init(id: subject.pool["id"]?.stringValue ?? "", name: subject.pool.name),
            workerName: subject.workerName,
            workerID: subject.workerID, settingsEnvironment: settingsEnvironment, environment: environment,
            prefectVersion: APIClient.prefectVersion, traceContext: subject.traceContext)
        let rendered = try await rendering.render(subject)
        return try backend.workload(rendered: rendered, for: run, preparing: context)
    }
}
