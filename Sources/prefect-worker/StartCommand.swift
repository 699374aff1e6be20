import ArgumentParser
import CLinux
import FoundationEssentials
import HealthServer
import JSON
import JobTemplates
import Logging
import PrefectAPI
import Worker
import WorkerLogging
import WorkerMetrics

/// `prefect-worker start`: the flags of `prefect worker start` with the same names and meanings.
struct StartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Serve work pools: take their flow runs and run them.",
        discussion: """
            The first SIGTERM or SIGINT drains the worker: it takes no more runs, waits for those in flight and leaves \
            with status 0. The second stops the runs that are its child processes with 30 seconds of grace and reports \
            them; the third leaves at once. What is left when the worker ends, however it does, is found again by the \
            next start with the same state directory. SIGHUP reads settings and profile again.
            """)

    @ParentCommand var root: PrefectWorker
    @OptionGroup var common: CommonOptions

    @Option(name: .shortAndLong, help: "The worker's name; a unique one is made up if none is given.")
    var name: String?

    @Option(
        name: .shortAndLong, parsing: .singleValue,
        help: ArgumentHelp("The work pool to serve; repeatable.", valueName: "pool"))
    var pool: [String] = []

    @Option(
        help: ArgumentHelp(
            "A TOML file with a table [pools.NAME] for each pool to serve, in place of --pool; type, queues, limit and "
                + "name can be set for each (PREFECT_WORKER_CONFIG).",
            valueName: "file"))
    var config: String?

    @Option(
        name: [.customShort("q"), .long], parsing: .singleValue,
        help: ArgumentHelp(
            "A work queue of the pool to poll, repeatable; created if it does not exist. Default: all queues.",
            valueName: "queue"))
    var workQueue: [String] = []

    @Option(name: .shortAndLong, help: "The type of worker; the pool's own type if not given.")
    var type: String?

    @Option(
        help: ArgumentHelp(
            "How many seconds before it is due a run is taken (PREFECT_WORKER_PREFETCH_SECONDS).", valueName: "seconds")
    )
    var prefetchSeconds: Int?

    @Flag(inversion: .prefixedNo, help: "Poll once, run what is due, and end.")
    var runOnce = false

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("How many runs are in flight at most, of all pools together.", valueName: "runs"))
    var limit: Int?

    @Flag(
        inversion: .prefixedNo,
        help: ArgumentHelp(
            "Answer probes at /health and /ready, and Prometheus at /metrics (PREFECT_WORKER_WEBSERVER_HOST, "
                + "PREFECT_WORKER_WEBSERVER_PORT)."))
    var withHealthcheck = false

    @Option(
        help: ArgumentHelp(
            "Accepted for compatibility: this worker brings its backends along and installs nothing.",
            valueName: "policy"),
        transform: InstallPolicy.init(argument:))
    var installPolicy: InstallPolicy?

    @Option(
        help: ArgumentHelp(
            "A JSON file with the base job template for a pool that this worker creates.", valueName: "file"))
    var baseJobTemplate: String?

    @Flag(inversion: .prefixedNo, help: "Create the work pool if it does not exist.")
    var createPoolIfNotFound = true

    @Option(
        help: ArgumentHelp(
            "The Python that runs flows in a process pool, or 'none' if every job has a command of its own. Default: "
                + "PREFECT_WORKER_PYTHON, else python or python3 on PATH.",
            valueName: "path"))
    var python: String?

    @Option(
        help: ArgumentHelp(
            "Where the worker writes down the runs in flight. Default: STATE_DIRECTORY as systemd sets it, else a folder "
                + "of the first pool, or of the configuration file, below PREFECT_HOME/prefect-worker.",
            valueName: "folder"))
    var stateDir: String?

    @Option(
        help: ArgumentHelp(
            "How long to wait for runs in flight after the first SIGTERM before they are stopped "
                + "(PREFECT_WORKER_DRAIN_TIMEOUT_SECONDS). Default: as long as they take.",
            valueName: "seconds"))
    var drainTimeout: Double?

    @Flag(help: "On the first SIGTERM leave process runs going; the next start of this worker goes on with them.")
    var detachOnExit = false

    func validate() throws {
        if let drainTimeout, !(drainTimeout >= 0) { throw ValidationError("--drain-timeout must be 0 or more") }
        if let limit, limit < 1 { throw ValidationError("--limit must be 1 or more") }
        if let prefetchSeconds, prefetchSeconds < 0 { throw ValidationError("--prefetch-seconds must be 0 or more") }
    }

    func run() async throws {
        let openFiles = clinux_raise_open_files(65_536)
        let environment = ProcessInfo.processInfo.environment
        let loadSettings: @Sendable () throws -> PrefectSettings = { [common, profile = root.profile] in
            try common.loadSettings(rootProfile: profile)
        }
        let settings = try loadSettings()
        let plan = try plan(environment)
        let template = try baseJobTemplate.map(readTemplate)
        let live = LiveSettings(settings)
        let journal = try common.journal()
        let output = try common.makeLogOutput(settings, journal: journal, redact: { live.redact($0) })
        defer { output.flush(within: .seconds(2)) }
        let metrics = withHealthcheck ? PrometheusRegistry.installed() : nil
        let shutdown = ShutdownSignal()
        let client = try settings.makeClient(sleep: { try await shutdown.pause($0) })
        let session = StartSession(
            settings: settings, live: live, loadSettings: loadSettings, client: client, output: output,
            journal: journal,
            probes: WorkerProbes(), metrics: metrics, shutdown: shutdown,
            settingsEnvironment: Live(settings.environmentForJobs()))
        try await session.run(
            StartSession.Request(
                plan: plan, createsPool: createPoolIfNotFound, template: template, prefetchSeconds: prefetchSeconds,
                runsOnce: runOnce, answersProbes: withHealthcheck,
                python: python ?? environment["PREFECT_WORKER_PYTHON"],
                mentionsInstallPolicy: installPolicy == .always, stateDirectory: stateDir,
                drainTimeout: try drainTimeout ?? drainTimeout(in: environment), detachesOnExit: detachOnExit,
                openFiles: openFiles))
    }

    private func drainTimeout(in environment: [String: String]) throws -> Double? {
        guard let text = environment["PREFECT_WORKER_DRAIN_TIMEOUT_SECONDS"], !text.isEmpty else { return nil }
        guard let seconds = Double(text), seconds >= 0 else {
            throw Refusal("PREFECT_WORKER_DRAIN_TIMEOUT_SECONDS must be a number of seconds, 0 or more, not '\(text)'")
        }
        return seconds
    }

    /// What is to be served, from the flags or from the file that they or the environment name.
    private func plan(_ environment: [String: String]) throws -> ServingPlan {
        var plan: ServingPlan
        if let path = config ?? (pool.isEmpty ? environment["PREFECT_WORKER_CONFIG"] : nil), !path.isEmpty {
            let flags = [("--pool", !pool.isEmpty), ("--type", type != nil), ("--work-queue", !workQueue.isEmpty)]
            if let flag = flags.first(where: \.1)?.0 {
                throw Refusal("\(flag) cannot be given beside the configuration '\(path)': write it there")
            }
            let folder = FileManager.default.currentDirectoryPath
            plan = try ServingPlan(reading: path.hasPrefix("/") ? path : "\(folder)/\(path)")
        } else {
            let names = try poolNames()
            if names.count > 1, !workQueue.isEmpty {
                throw Refusal(
                    "--work-queue does not say which pool's it is: name the queues of several pools in --config")
            }
            let queues = workQueue.filter { !$0.isEmpty }.withoutRepetitions
            plan = ServingPlan(
                pools: names.map { ServingPlan.Pool(name: $0, type: type, queues: queues) }, title: names[0])
        }
        plan.limit = limit ?? plan.limit
        if let name, !name.isEmpty { plan.workerName = name }
        try plan.checkNames()
        if plan.pools.count > 1, baseJobTemplate != nil {
            throw Refusal("--base-job-template is for one pool: create the others first, or let them have the default")
        }
        return plan
    }

    private func poolNames() throws -> [String] {
        let names = pool.filter { !$0.isEmpty }.withoutRepetitions
        if !names.isEmpty { return names }
        if pool.isEmpty, Terminal.isInteractive, let answer = Terminal.ask("Work pool name"), !answer.isEmpty {
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

/// The policies that `prefect worker start` has for installing missing packages.
enum InstallPolicy: String, Sendable {
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
