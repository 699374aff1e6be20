import ArgumentParser
import BackendKit
import CLinux
import FoundationEssentials
import JobTemplates
import Logging
import PrefectClient
import PrefectConcurrency
import PrefectJSON
import Systemd
import WorkerKit
import WorkerLogging
import WorkerMetrics
import WorkerTelemetry

/// `prefect-worker start`: the flags of `prefect worker start` with the same names and meanings.
struct StartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Serve work pools: claim their flow runs and run them.",
        discussion: """
            The first SIGTERM or SIGINT drains the worker: it claims no more runs, waits for those in flight and exits \
            with status 0. Without runs in flight, it exits within a second. The second signal stops the runs that are \
            its child processes, with 30 seconds of grace, and reports them. The third ends the worker at once. Signals \
            within a second count as one. However the worker ends, the next start with the same state directory recovers \
            the runs in flight. On SIGHUP, the worker reads settings, credentials, the profile and the file of --config \
            again.
            """)

    @ParentCommand var root: RootCommand
    @OptionGroup var common: CommonOptions

    @Option(
        name: .shortAndLong, help: "The worker's name. Default: a generated name, kept in the state directory.")
    var name: String?

    @Option(
        name: .shortAndLong, parsing: .singleValue,
        help: ArgumentHelp("The work pool to serve; repeatable.", valueName: "pool"))
    var pool: [String] = []

    @Option(
        help: ArgumentHelp(
            "The work pool to serve, by the instance name of a systemd unit (%i). Hyphens stay hyphens; other characters "
                + "may be escaped, like \\x20 for a space.", valueName: "instance"))
    var unitInstance: String?

    @Option(
        help: ArgumentHelp(
            "A TOML file with a table [pools.NAME] for each pool to serve, in place of --pool (PREFECT_WORKER_CONFIG). "
                + "Each table can set type, queues, limit, name and allowed_job_variables.",
            valueName: "file"),
        completion: .file(extensions: ["toml"]))
    var config: String?

    @Option(
        name: [.customShort("q"), .long], parsing: .singleValue,
        help: ArgumentHelp(
            "A work queue of the pool to poll, repeatable; created if it does not exist. Default: all queues.",
            valueName: "queue"))
    var workQueue: [String] = []

    @Option(
        name: .shortAndLong, help: "The type of worker. Default: the type of the pool.",
        completion: .list(Backends.types))
    var type: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How many seconds before its scheduled time a run is claimed (PREFECT_WORKER_PREFETCH_SECONDS).",
            valueName: "seconds"))
    var prefetchSeconds: Int?

    @Flag(inversion: .prefixedNo, help: "Poll once, run the runs that are due, and exit.")
    var runOnce = false

    @Option(
        name: .shortAndLong, parsing: .unconditional,
        help: ArgumentHelp("The maximum number of runs in flight, of all pools together.", valueName: "runs"))
    var limit: Int?

    @Flag(
        inversion: .prefixedNo,
        help: ArgumentHelp(
            "Answer probes at /health and /ready, and Prometheus at /metrics (PREFECT_WORKER_WEBSERVER_HOST, "
                + "PREFECT_WORKER_WEBSERVER_PORT)."))
    var withHealthcheck = false

    @Flag(
        inversion: .prefixedNo,
        help: ArgumentHelp(
            "Show a status page at /, where /status is answered (PREFECT_WORKER_STATUS_PAGE). It needs "
                + "--with-healthcheck or --metrics-host. Default: no page."))
    var statusPage: Bool?

    @Option(
        help: ArgumentHelp(
            "Answer /metrics and /status only at this address and --metrics-port, not at the address of the probes.",
            valueName: "host"))
    var metricsHost: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The port for --metrics-host. Default: PREFECT_CLIENT_METRICS_PORT, else 4201.", valueName: "port"))
    var metricsPort: Int?

    @Option(
        help: ArgumentHelp(
            "Accepted for compatibility: this worker contains its backends and installs nothing.",
            valueName: "policy"),
        completion: .list(InstallPolicy.allCases.map(\.rawValue)),
        transform: InstallPolicy.init(argument:))
    var installPolicy: InstallPolicy?

    @Option(
        help: ArgumentHelp(
            "A JSON file with the base job template for a pool that this worker creates.", valueName: "file"),
        completion: .file(extensions: ["json"]))
    var baseJobTemplate: String?

    @Flag(inversion: .prefixedNo, help: "Create the work pool if it does not exist.")
    var createPoolIfNotFound = true

    @Option(
        help: ArgumentHelp(
            "The Python that runs flows in a process pool, or 'none' if every job has a command of its own. Default: "
                + "PREFECT_WORKER_PYTHON, else python or python3 on PATH.",
            valueName: "path"),
        completion: .file())
    var python: String?

    @Option(
        help: ArgumentHelp(
            "Whether runs of process pools start as copies of a process that has imported Prefect: off, auto, or on to "
                + "have one before the first run (PREFECT_WORKER_WARM_ENGINES). Default: auto.",
            valueName: "mode"),
        completion: .list(WarmEngines.allCases.map(\.rawValue)), transform: WarmEngines.init(argument:))
    var warmEngines: WarmEngines?

    @Option(
        help: ArgumentHelp(
            "The directory for the record of runs in flight. Default: STATE_DIRECTORY as systemd sets it, else a directory "
                + "of the first pool, or of the configuration file, below PREFECT_HOME/prefect-worker.",
            valueName: "directory"),
        completion: .directory)
    var stateDir: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How long to wait for runs in flight after the first SIGTERM before they are stopped "
                + "(PREFECT_WORKER_DRAIN_TIMEOUT_SECONDS). Default: as long as they take.",
            valueName: "seconds"))
    var drainTimeout: Double?

    @Option(
        help: ArgumentHelp(
            "Exit with status 0 when no run was in flight or due for this long, like 10m, 90s or 2h "
                + "(PREFECT_WORKER_EXIT_WHEN_IDLE_SECONDS). Default: never.",
            valueName: "time"),
        transform: IdleLimit.duration(argument:))
    var exitWhenIdle: Duration?

    @OptionGroup var jobVariables: JobVariableOptions

    @Flag(
        help: ArgumentHelp(
            "Let the job variable cluster_config name programs and files of this host: exec, auth-provider, tokenFile, "
                + "client-certificate, client-key, certificate-authority (PREFECT_WORKER_ALLOW_HOST_CREDENTIALS). "
                + "Default: inline data only."))
    var allowHostCredentials = false

    @Flag(help: "On the first SIGTERM, exit without stopping process runs; the next start of this worker adopts them.")
    var detachOnExit = false

    func validate() throws {
        if let drainTimeout, !(0...Duration.longestPause).contains(drainTimeout) {
            throw ValidationError(
                "--drain-timeout must be a number of seconds from 0 to 1000000000, not \(drainTimeout)")
        }
        if let metricsPort, !(0...65_535).contains(metricsPort) {
            throw ValidationError("--metrics-port must be from 0 to 65535, not \(metricsPort)")
        }
        if statusPage == true, !withHealthcheck, metricsHost == nil {
            throw ValidationError("--status-page needs --with-healthcheck or --metrics-host")
        }
        if metricsPort != nil, metricsHost == nil { throw ValidationError("--metrics-port needs --metrics-host") }
        if metricsHost == "" { throw ValidationError("--metrics-host must be a name or an address") }
        if let limit, limit < 1 { throw ValidationError("--limit must be a whole number, 1 or more, not \(limit)") }
        if let prefetchSeconds, !(0...1_000_000_000).contains(prefetchSeconds) {
            throw ValidationError("--prefetch-seconds must be from 0 to 1000000000, not \(prefetchSeconds)")
        }
    }

    func run() async throws {
        let openFiles = clinux_raise_open_files(65_536)
        let environment = ProcessInfo.processInfo.environment
        let loadSettings: @Sendable () throws -> PrefectSettings = { [common, profile = root.profile] in
            try common.loadSettings(rootProfile: profile)
        }
        let settings = try loadSettings()
        let (plan, readPlan) = try plan(environment)
        let template = try baseJobTemplate.map(readTemplate)
        let live = LiveSettings(settings)
        let journal = try common.journal()
        let output = try common.makeLogOutput(settings, journal: journal, redact: { live.redact($0) })
        let makeLogHandler: @Sendable (String) -> any LogHandler = {
            WorkerLogHandler(logger: $0, output: output, level: live.current.workerLogLevel)
        }
        let logger = Logger(label: "prefect.worker", factory: makeLogHandler)
        let telemetry = TelemetrySettings.ofWorker(environment, logger)
        let isMeasured = withHealthcheck || metricsHost != nil || telemetry?.metrics != nil
        let metrics = isMeasured ? PrometheusRegistry.installed() : nil
        let probes = WorkerProbes()
        let exporter = telemetry?.installedExporter(of: metrics, probes, logger)
        var configuration = WorkerConfiguration(settings: settings, plan: plan, backends: Backends.all)
        configuration.stateDirectory = stateDir
        configuration.createsPools = createPoolIfNotFound
        configuration.baseJobTemplate = template
        configuration.python = python ?? environment["PREFECT_WORKER_PYTHON"]
        // A worker that ends after its runs has no use for a process that is ready for the next ones.
        configuration.warmEngines = try warmEngines ?? warmEngines(in: environment) ?? (runOnce ? .off : .auto)
        configuration.allowsHostCredentials =
            try allowHostCredentials || isTrue("PREFECT_WORKER_ALLOW_HOST_CREDENTIALS", in: environment)
        configuration.prefetchSeconds = prefetchSeconds
        configuration.runsOnce = runOnce
        configuration.drainTimeout =
            try drainTimeout.map { .pause(seconds: $0) }
            ?? .seconds(of: "PREFECT_WORKER_DRAIN_TIMEOUT_SECONDS", from: 0, in: environment)
        configuration.exitsWhenIdle = try exitWhenIdle ?? IdleLimit.duration(in: environment)
        configuration.leavesRunsOnExit = detachOnExit
        configuration.openFiles = openFiles
        configuration.output = runOutput(journal: journal, of: probes)
        configuration.makeLogHandler = makeLogHandler
        let worker = try PrefectWorker(configuration, live: live, probes: probes)
        let session = StartSession(worker: worker, loadSettings: loadSettings, output: output, metrics: metrics)
        defer { output.flush(within: worker.flushLimit) }
        let request = StartSession.Request(
            readPlan: readPlan, answersProbes: withHealthcheck,
            showsStatusPage: try statusPage ?? isTrue("PREFECT_WORKER_STATUS_PAGE", in: environment),
            metricsAddress: metricsHost.map { ($0, metricsPort ?? settings.clientMetricsPort) },
            mentionsInstallPolicy: installPolicy == .always)
        guard let exporter else { return try await session.run(request) }
        try await exporter.during { try await session.run(request) }
    }

    /// The destination of the output of runs; `nil` to copy it unchanged. The destination is the journal, JSON if the
    /// log is JSON, or a terminal that the output must not control.
    private func runOutput(journal: JournalSocket?, of probes: WorkerProbes) -> (any OutputSink)? {
        if let journal { return JournalSink(journal: journal, pool: { probes.daemon?.pool(ofRun: $0) }) }
        if common.logFormat == .json { return RunOutputSink(form: .json) }
        return Terminal.isOutput ? RunOutputSink(form: .terminal) : nil
    }

    private func warmEngines(in environment: [String: String]) throws -> WarmEngines? {
        guard let text = environment["PREFECT_WORKER_WARM_ENGINES"], !text.isEmpty else { return nil }
        guard let mode = WarmEngines(rawValue: text.lowercased()) else {
            throw Refusal("PREFECT_WORKER_WARM_ENGINES must be off, auto or on, not '\(text)'")
        }
        return mode
    }

    private func isTrue(_ variable: String, in environment: [String: String]) throws -> Bool {
        guard let text = environment[variable], !text.isEmpty else { return false }
        switch text.lowercased() {
        case "true", "1": return true
        case "false", "0": return false
        default: throw Refusal("\(variable) must be true or false, not '\(text)'")
        }
    }

    /// Returns the pools to serve, and a function that reads them again. They come from the flags, or from the file
    /// that the flags or the environment name. The function exists only for a file.
    private func plan(
        _ environment: [String: String]
    ) throws -> (ServingPlan, again: (@Sendable () throws -> ServingPlan)?) {
        let read: @Sendable () throws -> ServingPlan
        var again: (@Sendable () throws -> ServingPlan)?
        if let path = config ?? (pool.isEmpty && unitInstance == nil ? environment["PREFECT_WORKER_CONFIG"] : nil),
            !path.isEmpty
        {
            let flags = [
                ("--pool", !pool.isEmpty), ("--unit-instance", unitInstance != nil), ("--type", type != nil),
                ("--work-queue", !workQueue.isEmpty),
            ]
            if let flag = flags.first(where: \.1)?.0 {
                throw Refusal("\(flag) cannot be combined with the configuration '\(path)'; set it there")
            }
            let directory = FileManager.default.currentDirectoryPath
            let path = path.hasPrefix("/") ? path : "\(directory)/\(path)"
            let overlay = try overlay(environment)
            read = { overlay.on(try ServingPlan(reading: path)) }
            again = read
        } else {
            let names = try poolNames()
            if names.count > 1, !workQueue.isEmpty {
                throw Refusal(
                    "--work-queue is for one pool; set the queues of several pools in the file of --config")
            }
            let queues = workQueue.filter { !$0.isEmpty }.withoutRepetitions
            let plan = ServingPlan(
                pools: names.map { ServingPlan.Pool(name: $0, type: type, queues: queues) }, title: names[0])
            let overlay = try overlay(environment)
            read = { overlay.on(plan) }
        }
        let plan = try read()
        if plan.pools.count > 1, baseJobTemplate != nil {
            throw Refusal("--base-job-template is for one pool; create the others first, or omit it to use the default")
        }
        return (plan, again)
    }

    /// The flags that take precedence over the file, for all pools.
    private struct Overlay: Sendable {
        let limit: Int?
        let name: String?
        let allowedJobVariables: [String]

        func on(_ plan: ServingPlan) -> ServingPlan {
            var plan = plan
            plan.limit = limit ?? plan.limit
            plan.workerName = name ?? plan.workerName
            for index in plan.pools.indices { plan.pools[index].allowedJobVariables += allowedJobVariables }
            return plan
        }
    }

    private func overlay(_ environment: [String: String]) throws -> Overlay {
        let name = name.flatMap { $0.isEmpty ? nil : $0 }
        try ServingPlan.checkWorkerName(name, of: "--name")
        return Overlay(
            limit: limit, name: name, allowedJobVariables: jobVariables.allowed(in: environment))
    }

    private func poolNames() throws -> [String] {
        let instance = unitInstance.map { SystemdInstance.name(of: $0) }
        let names = (pool + [instance].compactMap(\.self)).filter { !$0.isEmpty }.withoutRepetitions
        for name in names { try ServingPlan.checkPoolName(name, of: name == instance ? "--unit-instance" : "--pool") }
        if !names.isEmpty { return names }
        if pool.isEmpty, Terminal.isInteractive, let answer = Terminal.ask("Work pool name"), !answer.isEmpty {
            try ServingPlan.checkPoolName(answer, of: "Work pool name")
            return [answer]
        }
        throw Refusal("Missing required option '--pool' / '-p': the name of the work pool to serve")
    }

    private func readTemplate(_ path: String) throws -> JSONValue {
        let json = try JSONFile.read(path, what: "The base job template")
        do {
            _ = try BaseJobTemplate(json: json)
        } catch {
            throw Refusal("The base job template '\(path)' cannot be used: \(error)")
        }
        return json
    }
}

/// The policies of `prefect worker start` for the installation of missing packages.
enum InstallPolicy: String, CaseIterable, Sendable {
    case always
    case ifNotPresent = "if-not-present"
    case never
    case prompt

    init(argument: String) throws {
        guard let policy = InstallPolicy(rawValue: argument.lowercased()) else {
            throw ValidationError("--install-policy must be always, if-not-present, never or prompt")
        }
        self = policy
    }
}

extension WarmEngines {
    /// The mode that an argument names.
    fileprivate init(argument: String) throws {
        guard let mode = WarmEngines(rawValue: argument) else {
            throw ValidationError("--warm-engines must be off, auto or on, not '\(argument)'")
        }
        self = mode
    }
}
