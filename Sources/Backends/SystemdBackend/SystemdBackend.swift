internal import Files
internal import FoundationEssentials
internal import Glibc
public import JSON
public import JobTemplates
public import Logging
internal import Synchronization
internal import Systemd
public import Worker

/// Runs flow runs as transient units of systemd, for work pools of the type `systemd`.
///
/// Units outlive the worker. One connection to the manager reports the changes of all units. Each unit records how it
/// ended in its directory below the worker's state directory. So a worker that did not run at that time finds the
/// record later. When the manager is unavailable, the backend waits for it.
///
/// The identifier is the host's name, a colon, and the unit's name. The unit's name consists of the run's id and the
/// worker's claim. So a unit whose creation was never confirmed is found again and not created twice.
public final class SystemdBackend: InfrastructureBackend {
    /// The options of a systemd backend.
    public struct Options: Sendable {
        /// The Python interpreter for jobs without a command: a path, or a name on the PATH of the runs. `none` stands
        /// for no interpreter, `nil` for the first of `python` and `python3` on the worker's PATH.
        public var interpreter: String?
        /// The worker's own environment. `PREFECT_WORKER_SYSTEMD_MANAGER` is `system` or `user`. Without it, root uses
        /// the system's manager, and other users use their own.
        public var environment: [String: String]
        /// The worker's state directory. It contains scripts of units, which the manager runs. So only root and the
        /// worker's user may be able to change any part of its path. Without a state directory, the backend starts
        /// nothing.
        public var stateDirectory: String?
        /// The destination of the output of runs, besides the journal. If the destination is the journal itself, the
        /// output is not copied.
        public var standardOutput: any OutputSink
        /// The log for the worker's operator.
        public var logger: Logger

        public init(
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

    public static let workerType = "systemd"

    public static var defaultBaseJobTemplate: BaseJobTemplate { DefaultTemplates.systemd() }

    public static let outlivesWorker = true

    public static let inheritsEnvironment = true

    public static var privilegedFields: Set<String> { UnitResources.privileges }

    let options: Options
    let kind: Bus.Kind
    let manager: UnitManager
    let watcher: UnitWatcher
    /// The parent of the directories of units. It is empty without a state directory, and then no unit is started.
    let root: String
    /// Copies the output of runs; `nil` if the worker's own output also goes to the journal.
    let copier: OutputCopier?
    /// The units and runs in use, whose directories must not be removed by a sweep.
    let inHand = Mutex(InHand())

    /// Units from their creation until their run is complete, and runs of an earlier process of the worker.
    struct InHand: Sendable {
        var units: Set<UnitName> = []
        var flowRunIDs: Set<String> = []
    }

    /// The interval at which remaining directories are removed.
    private static let sweepInterval = Duration.seconds(600)

    /// Makes a backend and starts its thread.
    ///
    /// Throws `InfrastructureError`. Its kind is `refused` when the environment names an unknown manager, or when other
    /// users can change the state directory. It is `unavailable` when the system provides no descriptor or thread.
    public init(options: Options) throws(InfrastructureError) {
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
        watcher = UnitWatcher(bus: bus, manager: manager, place: place, remedy: remedy, logger: options.logger)
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

    public var unavailableReason: String? { watcher.availability.reason }

    /// Watches the units, copies their output, and removes remaining directories at intervals.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.watcher.run() }
            group.addTask {
                while (try? await Task.sleep(for: Self.sweepInterval)) != nil { await self.sweep() }
            }
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

    @discardableResult
    public func flushOutput(within limit: Duration) async -> Bool { await copier?.catchUp(within: limit) ?? true }

    public func configuration(rendered: JSONValue) throws -> SystemdConfiguration {
        let configuration = try SystemdConfiguration(rendered: rendered)
        if kind == .user, let field = configuration.resources.needsSystemManager.first {
            throw InfrastructureError(
                .refused,
                "The job variable '\(field)' needs the system's service manager, and this worker uses its user's; leave it out "
                    + "or set PREFECT_WORKER_SYSTEMD_MANAGER=system")
        }
        return configuration
    }

    public func prepare(
        _ configuration: SystemdConfiguration, for context: PreparationContext
    ) throws -> SystemdConfiguration {
        try configuration.prepared(
            for: context, defaultCommand: interpreter.map(processEngineCommand(interpreter:)))
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

    /// Stops the unit: SIGTERM to all of its processes, and SIGKILL after the job's `timeout_stop_sec` or else `grace`.
    public func stop(
        _ identifier: InfrastructureIdentifier, job: Job<SystemdConfiguration>, grace: Duration, reason: StopReason
    ) async throws {
        let unit = try UnitHandle(identifier).unit
        let grace = job.configuration.resources.stopTime ?? grace
        // SIGTERM is sent directly, because a stop of the unit applies a time limit of its own.
        guard try await kill(unit, SIGTERM) else { return }
        if try await hasEnded(unit, within: grace) { return }
        guard try await ask(unit, { () async throws(BusError) in try await manager.stop(unit.name) }),
            try await kill(unit, SIGKILL)
        else { return }
        guard await watcher.waitForEnd(of: unit.name) else { throw CancellationError() }
    }

    private func kill(_ unit: UnitName, _ signal: Int32) async throws -> Bool {
        try await ask(unit) { () async throws(BusError) in try await manager.kill(unit.name, signal: signal) }
    }

    private func hasEnded(_ unit: UnitName, within limit: Duration) async throws -> Bool {
        let hasEnded = await withTaskGroup(of: Bool.self) { group in
            group.addTask { await self.watcher.waitForEnd(of: unit.name) }
            group.addTask {
                try? await Task.sleep(for: limit)
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            return first
        }
        try Task.checkCancellation()
        return hasEnded
    }

    /// Sends a request that ends a unit; returns `false` when the unit does not exist.
    private func ask(
        _ unit: UnitName, _ body: () async throws(BusError) -> Void
    ) async throws -> Bool {
        do {
            try await body()
            return true
        } catch {
            if error.name == UnitManager.noSuchUnit { return false }
            throw InfrastructureError(.unavailable, "Unit '\(unit.name)' could not be stopped: \(error.message)")
        }
    }

    /// Reports whether the manager answers, and whether it creates units for this worker, by creating one.
    public func check() async -> BackendReport {
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
            if error.isTransient { watcher.note(error.message) }
            let detail =
                watcher.availability.reason
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
