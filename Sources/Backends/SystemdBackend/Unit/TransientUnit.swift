internal import BackendKit
internal import JobTemplates
internal import OrderedCollections
internal import Systemd

/// The properties of the unit of a run, with the names of `org.freedesktop.systemd1(5)`.
///
/// - The manager forgets a unit that has ended, whatever its result. By then, the unit has recorded in its directory
///   how it ended. A unit with such a record, or without its script, is never started.
/// - The command comes through standard input, as an open file with a script. The script sets the environment and
///   becomes the command. So no property shows the command, and no sandbox and no other user prevents the run from
///   reading it. The manager expands nothing in the script.
/// - The manager does not damage the script either. During a reload, systemd 252 puts a backslash before each `$` and
///   `;` of the commands that it holds.
/// - The manager creates the private directory, so that it belongs to the run's user and is within its sandbox.
struct TransientUnit {
    let unit: UnitName
    let directory: UnitDirectory
    let configuration: SystemdConfiguration
    let flowRunID: String
    let flowRunName: String
    var hooks: Hooks?

    /// The flow's hooks for a state, which run instead of the job's command.
    struct Hooks: Sendable {
        let kind: FlowHook
        /// The state, as JSON.
        let state: String
        let interpreter: String
        /// The run's own unit, whose private directory the hooks use; `nil` when the run never had a unit.
        let run: UnitName?
    }

    /// Whether the unit's private directory still exists after the end of the unit. The flow's hooks may need the
    /// workspace in it.
    var keepsDirectory: Bool { hooks.map { $0.run != nil } ?? configuration.runsFlowEngine }
    /// Whether the private directory that is kept is this unit's own.
    var ownsKeptDirectory: Bool { hooks == nil && keepsDirectory }

    /// The name of the private directory, below the manager's directory for caches.
    private var directoryName: String { "\(Self.identifier)/\((hooks?.run ?? unit).stem)" }

    /// The script that the unit runs. Its own values are positional parameters, because no variable of the job can
    /// replace those.
    var script: String {
        let directory = configuration.workingDirectory.map { singleQuoted($0) } ?? "\"$1/work\""
        return "set -- \"$CACHE_DIRECTORY\"\n" + configuration.environment.text
            + "export PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS=false\nmkdir -p \"$1/work\"\n"
            + "\(files)exec /usr/bin/env -C \(directory) -- \(words) </dev/null\n"
    }

    /// The commands that create the initial files of the private directory. The state is one of them, because it may be
    /// too large for an argument and must stay private.
    private var files: String {
        let files =
            if let hooks {
                [("hooks.py", HookScript.source), ("state.json", hooks.state)]
            } else {
                configuration.runsFlowEngine ? [(EngineScript.fileName, EngineScript.source)] : []
            }
        return
            files.map { "rm -rf -- \"$1/\($0)\"\nprintf %s \(singleQuoted($1)) >\"$1/\($0)\"\n" }.joined()
    }

    private var words: String {
        guard let hooks else {
            guard configuration.runsFlowEngine, let interpreter = configuration.words.first else {
                return configuration.words.map { singleQuoted($0) }.joined(separator: " ")
            }
            let arguments = EngineScript.arguments.joined(separator: " ")
            return "\(singleQuoted(interpreter)) \"$1/\(EngineScript.fileName)\" \(arguments)"
        }
        let manifest =
            hooks.run != nil && configuration.runsFlowEngine ? " \"$1/\(EngineScript.manifestName)\"" : ""
        let interpreter = singleQuoted(hooks.interpreter)
        return "\(interpreter) \"$1/hooks.py\" \(hooks.kind.rawValue) \"$1/state.json\"" + manifest
    }

    /// The time that a unit has to stop, unless the job sets one.
    static let stopTime = Duration.seconds(30)
    /// The identifier of the lines of runs in the journal.
    static let identifier = "prefect-run"

    /// Returns all properties.
    /// - Parameter script: The open file with ``script``.
    func properties(script: Int32) -> [UnitProperty] {
        var properties = [
            UnitProperty("Description", .string(Self.line(configuration.name ?? flowRunName))),
            UnitProperty("Type", .string("exec")),
            UnitProperty("CollectMode", .string("inactive-or-failed")),
            UnitProperty(
                "Asserts",
                .array(
                    of: "(sbbs)",
                    [
                        .structure([
                            .string("AssertPathExists"), .boolean(false), .boolean(true), .string(directory.end),
                        ]),
                        .structure([
                            .string("AssertPathExists"), .boolean(false), .boolean(false), .string(directory.start),
                        ]),
                    ])),
            UnitProperty("ExecStart", Self.command(["/bin/sh", "-s"])),
            UnitProperty("ExecStopPost", Self.command(["/bin/sh", directory.finish])),
            // The last command belongs to the worker, so it has neither the run's user nor its sandbox.
            UnitProperty("PermissionsStartOnly", .boolean(true)),
            UnitProperty("StandardInputFileDescriptor", .descriptor(script)),
            UnitProperty("StandardOutput", .string("journal")),
            UnitProperty("StandardError", .string("journal")),
            UnitProperty("SyslogIdentifier", .string(Self.identifier)),
            UnitProperty("LogExtraFields", .array(of: "ay", fields.map(BusValue.bytes))),
            UnitProperty("CacheDirectory", .strings([directoryName])),
            UnitProperty("CacheDirectoryMode", .uint32(0o700)),
            UnitProperty("OOMPolicy", .string("stop")),
        ]
        if configuration.resources.stopTime == nil {
            properties.append(UnitProperty("TimeoutStopUSec", .uint64(UInt64(Self.stopTime / .microseconds(1)))))
        }
        guard hooks != nil else { return properties + configuration.resources.properties }
        let limit = UnitProperty("RuntimeMaxUSec", .uint64(UInt64(HookScript.timeLimit / .microseconds(1))))
        return properties + configuration.resources.properties.filter { $0.name != limit.name } + [limit]
    }

    /// Returns the properties of a unit that removes the private directory of `unit`, regardless of who owns its files.
    static func removal(of unit: UnitName) -> [UnitProperty] {
        [
            UnitProperty("Description", .string("Remove the workspace of a flow run")),
            UnitProperty("CollectMode", .string("inactive-or-failed")),
            UnitProperty("ExecStart", command(["/bin/sh", "-c", UnitDirectory.removal])),
            UnitProperty("CacheDirectory", .strings(["\(identifier)/\(unit.stem)"])),
        ]
    }

    /// The labels that are also fields of the journal.
    static let shownLabels = ["prefect.io/work-pool-name", "prefect.io/worker-name"]

    /// The fields of each line that the run writes to the journal.
    private var fields: [String] {
        let labels = configuration.labels
        let fields = [
            ("FLOW_RUN_ID", flowRunID), ("FLOW_RUN_NAME", flowRunName),
            ("WORK_POOL", labels[Self.shownLabels[0]] ?? ""), ("WORKER", labels[Self.shownLabels[1]] ?? ""),
        ]
        return fields.filter { !$0.1.isEmpty }.map { "\($0.0)=\(Self.line($0.1))" }
    }

    private static func command(_ words: [String]) -> BusValue {
        .array(of: "(sasb)", [.structure([.string(words[0]), .strings(words), .boolean(false)])])
    }

    /// Replaces control characters, such as line breaks, by spaces.
    private static func line(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : Character($0) })
    }
}
