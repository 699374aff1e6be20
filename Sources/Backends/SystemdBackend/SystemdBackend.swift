public import BackendKit
internal import FoundationEssentials
internal import Glibc
public import JobTemplates
internal import Logging
internal import PrefectFiles
public import PrefectJSON
internal import Synchronization
internal import Systemd

/// Runs flow runs as transient units of systemd, for work pools of the type `systemd`.
///
/// Units outlive the worker. One connection to the manager reports the changes of all units. Each unit records how it
/// ended in its directory below the worker's state directory. So a worker that did not run at that time finds the
/// record later. When the manager is unavailable, the backend waits for it.
///
/// The identifier is the host's name, a colon, and the unit's name. The unit's name consists of the run's id and the
/// worker's claim. So a unit whose creation was never confirmed is found again and not created twice.
public final class SystemdBackend: Backend {
    /// The options of a systemd backend.
    struct Options: Sendable {
        /// The Python interpreter for jobs without a command: a path, or a name on the PATH of the runs. `none` stands
        /// for no interpreter, `nil` for the first of `python` and `python3` on the worker's PATH.
        var interpreter: String?
        /// The worker's own environment. `PREFECT_WORKER_SYSTEMD_MANAGER` is `system` or `user`. Without it, root uses
        /// the system's manager, and other users use their own.
        var environment: [String: String]
        /// The worker's state directory. It contains scripts of units, which the manager runs. So only root and the
        /// worker's user may be able to change any part of its path. Without a state directory, the backend starts
        /// nothing.
        var stateDirectory: String?
        /// The destination of the output of runs, besides the journal. If the destination is the journal itself, the
        /// output is not copied.
        var standardOutput: any OutputSink
        /// The log for the worker's operator.
        var logger: Logger

        init(
            interpreter: String? = nil, environment: [String: String], stateDirectory: String? = nil,
            standardOutput: any OutputSink = DescriptorSink.standardOutput,
            logger: Logger = Logger(label: "prefect.workers.systemd")
        ) {
            self.interpreter = interpreter
            self.environment = environment
            self.stateDirectory = stateDirectory
            self.standardOutput = standardOutput
            self.logger = logger
        }
    }

    /// The constant properties of the backend; see `Backend.traits`.
    public static let traits = BackendTraits(
        type: "systemd", workerName: "SystemdWorker", makeBaseJobTemplate: { defaultTemplate() },
        inheritsEnvironment: true, privilegedFields: UnitResources.privileges,
        // Runs use open files only for a moment, during their start and after their end.
        openFilesPerRun: 1, settings: settings)

    let options: Options
    let kind: Bus.Kind
    let manager: UnitManager
    let watch: TaskWatch<UnitSource>
    /// The parent of the directories of units. It is empty without a state directory, and then no unit is started.
    let root: String
    /// Copies the output of runs; `nil` if the worker's own output also goes to the journal.
    let copier: OutputCopier?
    /// The units and runs in use, whose directories must not be removed by a sweep.
    let inUse = TasksInUse()

    /// Makes a backend for a worker. Sends no request to the infrastructure.
    public convenience init(host: BackendHost) throws(InfrastructureError) {
        if let problem = host.stateDirectoryProblem {
            throw InfrastructureError(
                .refused,
                "\(problem); a systemd pool is not served without one: correct it or give another --state-dir")
        }
        try self.init(
            options: .init(
                interpreter: host.python, environment: host.environment, stateDirectory: host.stateDirectory,
                standardOutput: host.standardOutput, logger: host.logger))
    }

    /// Makes a backend and starts its thread.
    ///
    /// Throws `InfrastructureError`. Its kind is `refused` when the environment names an unknown manager, or when other
    /// users can change the state directory. It is `unavailable` when the system provides no descriptor or thread.
    init(options: Options) throws(InfrastructureError) {
        self.options = options
        kind = try Self.manager(in: options.environment, isRoot: geteuid() == 0)
        guard let bus = Bus(kind, matches: UnitManager.matches) else {
            throw InfrastructureError(
                .unavailable,
                "The systemd backend could not be started: \(String(cString: strerror(errno))); raise the limit of open files"
            )
        }
        manager = UnitManager(bus: bus)
        let place = kind == .system ? "The system's service manager" : "The user's service manager"
        let remedy =
            kind == .system
            ? "check that systemd and dbus run and that DBUS_SYSTEM_BUS_ADDRESS, if set, is correct"
            : "install dbus-user-session and call 'loginctl enable-linger' for the worker's user, or set "
                + "PREFECT_WORKER_SYSTEMD_MANAGER=system"
        watch = TaskWatch(
            UnitSource(
                bus: bus, manager: manager, place: place, remedy: remedy,
                availability: InfrastructureAvailability(end: "\(place) is available again", logger: options.logger)),
            UnitSource.policy, isConnected: false)
        root = if let directory = options.stateDirectory { try Self.root(in: directory) } else { "" }
        copier =
            JournalSocket.receives(STDOUT_FILENO)
            ? nil : OutputCopier(root: root, kind: kind, sink: options.standardOutput)
    }

    /// Returns the parent of the directories of units below a state directory, and creates it if it is missing.
    static func root(in stateDirectory: String) throws(InfrastructureError) -> String {
        let directory =
            stateDirectory.hasPrefix("/")
            ? stateDirectory : "\(FileManager.default.currentDirectoryPath)/\(stateDirectory)"
        let root = "\(directory)/units"
        mkdir(root, 0o700)
        if let problem = TrustedPath.problem(of: directory) ?? TrustedPath.problem(of: root) {
            throw InfrastructureError(
                .refused,
                "The state directory '\(directory)' is unsafe for systemd units: \(problem). "
                    + "Correct its owner and permissions, or set another --state-dir")
        }
        return root
    }

    /// Returns which manager runs the units.
    static func manager(in environment: [String: String], isRoot: Bool) throws(InfrastructureError) -> Bus.Kind {
        guard let choice = environment["PREFECT_WORKER_SYSTEMD_MANAGER"], !choice.isEmpty else {
            return isRoot ? .system : .user
        }
        guard let kind = Bus.Kind(rawValue: choice) else {
            throw InfrastructureError(
                .refused, "PREFECT_WORKER_SYSTEMD_MANAGER is '\(choice)'; it should be 'system' or 'user'")
        }
        return kind
    }

    var availability: InfrastructureAvailability { watch.source.availability }

    /// Why nothing can be started at the moment; `nil` when it can.
    public var unavailableReason: String? { availability.reason }

    /// Watches the units, copies their output, and removes remaining directories at intervals.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.watch.run() }
            group.addTask { await OrphanSweep.run { await self.sweep() } }
            group.addTask {
                guard let copier = self.copier, await !copier.run() else { return }
                self.options.logger.warning(
                    """
                    The journal cannot be read, so the output of runs is not printed here; add the worker's user to \
                    the group systemd-journal
                    """)
            }
        }
    }

    /// Waits until the printed output has been passed on; see `Backend.flushOutput(within:)`.
    @discardableResult
    public func flushOutput(within limit: Duration) async -> Bool { await copier?.catchUp(within: limit) ?? true }

    /// Makes the workload of one flow run; see `Backend.workload(rendered:for:preparing:)`.
    public func workload(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws -> any Workload {
        let configuration = try SystemdConfiguration(rendered: rendered)
        if kind == .user, let field = configuration.resources.needsSystemManager.first {
            throw InfrastructureError(
                .refused,
                "The job variable '\(field)' needs the system's service manager, and this worker uses its user's; leave it out "
                    + "or set PREFECT_WORKER_SYSTEMD_MANAGER=system")
        }
        let command = interpreter.map(processEngineCommand(interpreter:))
        return SystemdWorkload(
            backend: self, run: run,
            configuration: try context.map { try configuration.prepared(for: $0, defaultCommand: command) }
                ?? configuration)
    }

    /// The Python interpreter for jobs without a command.
    var interpreter: String? {
        switch options.interpreter {
        case "none"?: return nil
        case let choice?: return choice
        case nil:
            let path = options.environment["PATH"] ?? "/usr/bin:/bin"
            return SearchPath.executable("python", "python3", on: path) ?? "python3"
        }
    }

    /// Reports whether the manager answers, and whether it creates units for this worker, by creating one.
    public func check(_ pools: [PoolJobs]) async -> BackendReport {
        let subject = "systemd"
        let place = kind == .system ? "the system's manager" : "the user's manager"
        do {
            let version = try await manager.version(within: .seconds(10))
            let unit = "prefect-check-\(UUID().uuidString.prefix(8).lowercased()).service"
            let command = BusValue.array(
                of: "(sasb)", [.structure([.string("/bin/true"), .strings(["/bin/true"]), .boolean(true)])])
            try await manager.startTransientUnit(
                unit,
                properties: [
                    UnitProperty("Description", .string("Can Prefect's worker start units?")),
                    UnitProperty("CollectMode", .string("inactive-or-failed")), UnitProperty("ExecStart", command),
                ])
            return BackendReport(findings: [
                .init(subject: subject, detail: "\(version), \(place), starts units for this worker", isGood: true)
            ])
        } catch {
            if error.isTransient { watch.source.note(error.message) }
            let detail =
                availability.reason
                ?? "No unit can be started by \(place): \(error.message); \(Self.remedy(error))"
            return BackendReport(findings: [.init(subject: subject, detail: detail, isGood: false)])
        }
    }

    /// The remedy for an error of the manager, for messages.
    static func remedy(_ error: BusError) -> String {
        switch error.name {
        case "org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
            "org.freedesktop.systemd1.NoSuchPolicy":
            "add a polkit rule for org.freedesktop.systemd1.manage-units, run as root, or set "
                + "PREFECT_WORKER_SYSTEMD_MANAGER=user"
        default: "correct the job variables"
        }
    }
}
