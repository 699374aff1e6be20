public import JobTemplates
public import PrefectJSON

/// The constant properties of a backend.
public struct BackendTraits: Sendable {
    /// The type of the work pools that the backend serves: `process`, `docker`, …
    public var type: String
    /// The default name of a worker, before its unique part: `ProcessWorker`, …
    public var workerName: String
    /// Makes the template for a pool without a template of its own.
    public var makeBaseJobTemplate: @Sendable () -> BaseJobTemplate
    /// Whether infrastructure continues after the worker has ended. If so, no shutdown of the worker ends it, and the
    /// next worker finds it again.
    public var outlivesWorker: Bool
    /// Whether the infrastructure of a run is created once for each claim, whichever worker calls ``Workload/start()``,
    /// and however often. Such runs can be started by another worker when the one that claimed them has died.
    public var startsClaimOnce: Bool
    /// Whether a worker that serves a pool once stops watching its runs as soon as their infrastructure exists. Such
    /// infrastructure begins without a worker. Otherwise the worker waits until the runs have ended.
    public var isDoneOnceStarted: Bool
    /// Whether runs inherit the environment of the worker's process, and with it the worker's own settings. Otherwise
    /// jobs receive none of these settings.
    public var inheritsEnvironment: Bool
    /// The fields of the job configuration that set the permissions of a run on the worker's host, such as its user.
    /// Only the work pool sets them, unless the worker's operator allows job variables that do.
    public var privilegedFields: Set<String>
    /// Whether a run in flight counts towards the worker's limit until its end. Otherwise the limit is that of runs whose
    /// infrastructure does not exist yet.
    public var holdsSlotUntilEnd: Bool
    /// The number of files that the worker keeps open for a run in flight. It limits the number of concurrent runs.
    public var openFilesPerRun: Int
    /// The settings that the backend reads.
    public var settings: [BackendSetting]
    /// Whether the jobs of a template name the infrastructure that they run on. Such jobs can run although
    /// ``Backend/check(_:)`` finds no infrastructure of the worker's own.
    public var bringsInfrastructure: @Sendable (BaseJobTemplate) -> Bool
    /// Returns the part of a rendered configuration that is shown without preparation. Throws for a configuration that
    /// is not valid.
    public var shownUnprepared: @Sendable (_ rendered: JSONValue) throws -> JSONValue

    /// The properties of a backend. The defaults are those of a service that runs flows elsewhere and that the worker
    /// polls.
    public init(
        type: String, workerName: String, makeBaseJobTemplate: @escaping @Sendable () -> BaseJobTemplate,
        outlivesWorker: Bool = true, startsClaimOnce: Bool = false, isDoneOnceStarted: Bool = false,
        inheritsEnvironment: Bool = false,
        privilegedFields: Set<String> = [], holdsSlotUntilEnd: Bool = true, openFilesPerRun: Int = 1,
        settings: [BackendSetting] = [],
        bringsInfrastructure: @escaping @Sendable (BaseJobTemplate) -> Bool = { _ in false },
        shownUnprepared: @escaping @Sendable (_ rendered: JSONValue) throws -> JSONValue = {
            try BaseJobConfiguration(rendered: $0).json
        }
    ) {
        self.type = type
        self.workerName = workerName
        self.makeBaseJobTemplate = makeBaseJobTemplate
        self.outlivesWorker = outlivesWorker
        self.startsClaimOnce = startsClaimOnce
        self.isDoneOnceStarted = isDoneOnceStarted
        self.inheritsEnvironment = inheritsEnvironment
        self.privilegedFields = privilegedFields
        self.holdsSlotUntilEnd = holdsSlotUntilEnd
        self.openFilesPerRun = openFilesPerRun
        self.settings = settings
        self.bringsInfrastructure = bringsInfrastructure
        self.shownUnprepared = shownUnprepared
    }

    /// The template for a pool without a template of its own.
    public var baseJobTemplate: BaseJobTemplate { makeBaseJobTemplate() }

    /// Whether the jobs of a template name the infrastructure that they run on; `false` for a value that is no template.
    public func bringsInfrastructure(_ template: JSONValue) -> Bool {
        (try? BaseJobTemplate(json: template)).map { bringsInfrastructure($0) } == true
    }

    /// The greatest number of concurrent runs for a number of open files. Some files are the worker's own.
    public func mostRuns(openFiles: Int) -> Int { max(1, (openFiles - 128) / max(1, openFilesPerRun)) }
}
