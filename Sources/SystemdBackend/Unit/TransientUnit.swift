internal import OrderedCollections
internal import Systemd
internal import Worker

/// The properties of the unit of a run, by the names that `org.freedesktop.systemd1(5)` has for them.
///
/// - A unit that has ended is forgotten by the manager, whatever became of it; how it ended it has written into its folder then.
///   A unit that has done so, or whose script is not there any more, is never started.
/// - What is run comes through standard input, as an open file with a script that sets the environment and becomes the command:
///   no property shows it, no sandbox or other user keeps the run from it, and the manager expands nothing in it. Nor does it
///   spoil it: what systemd 252 has of commands when it reads its configuration anew has a backslash before each `$` and `;`.
/// - The private directory is the manager's making, so that it belongs to the run's user and is within its sandbox.
struct TransientUnit {
    let unit: UnitName
    let folder: UnitFolder
    let configuration: SystemdConfiguration
    let flowRunID: String
    let flowRunName: String
    var hooks: Hooks?

    /// The flow's hooks for a state, which are run in the place of the job's command.
    struct Hooks: Sendable {
        let kind: FlowHook
        /// The state, as JSON.
        let state: String
        let interpreter: String
    }

    /// What is run. The positional parameters are all that no variable of the job's can be in the way of.
    var script: String {
        let folder = configuration.workingDirectory.map(UnitEnvironment.quoted) ?? "\"$1\""
        return "set -- \"$CACHE_DIRECTORY\"\n" + configuration.environment.text
            + "export PREFECT__STORAGE_BASE_PATH=\"$1\"\n\(files)exec /usr/bin/env -C \(folder) -- \(words) </dev/null\n"
    }

    /// What the private directory has at the beginning: a state may be more than a process takes as an argument, and is shown
    /// to nobody.
    private var files: String {
        guard let hooks else { return "" }
        return [("hooks.py", HookScript.source), ("state.json", hooks.state)]
            .map { "printf %s \(UnitEnvironment.quoted($1)) >\"$1/\($0)\"\n" }.joined()
    }

    private var words: String {
        guard let hooks else { return configuration.words.map(UnitEnvironment.quoted).joined(separator: " ") }
        return "\(UnitEnvironment.quoted(hooks.interpreter)) \"$1/hooks.py\" \(hooks.kind.rawValue) \"$1/state.json\""
    }

    /// How long a unit has to stop, where the job does not say.
    static let stopTime = Duration.seconds(30)
    /// Who writes the lines of runs in the journal.
    static let identifier = "prefect-run"

    /// All properties.
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
                        .structure([.string("AssertPathExists"), .boolean(false), .boolean(true), .string(folder.end)]),
                        .structure([
                            .string("AssertPathExists"), .boolean(false), .boolean(false), .string(folder.start),
                        ]),
                    ])),
            UnitProperty("ExecStart", Self.command(["/bin/sh", "-s"])),
            UnitProperty("ExecStopPost", Self.command(["/bin/sh", folder.finish])),
            // The last command is the worker's, not the run's: it has neither the run's user nor its sandbox.
            UnitProperty("PermissionsStartOnly", .boolean(true)),
            UnitProperty("StandardInputFileDescriptor", .descriptor(script)),
            UnitProperty("StandardOutput", .string("journal")),
            UnitProperty("StandardError", .string("journal")),
            UnitProperty("SyslogIdentifier", .string(Self.identifier)),
            UnitProperty("LogExtraFields", .array(of: "ay", fields.map(BusValue.bytes))),
            UnitProperty("CacheDirectory", .strings(["\(Self.identifier)/\(unit.stem)"])),
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

    /// The fields of each line that the run writes to the journal.
    private var fields: [String] {
        let labels = configuration.labels
        let fields = [
            ("FLOW_RUN_ID", flowRunID), ("FLOW_RUN_NAME", flowRunName),
            ("WORK_POOL", labels["prefect.io/work-pool-name"] ?? ""),
            ("WORKER", labels["prefect.io/worker-name"] ?? ""),
        ]
        return fields.filter { !$0.1.isEmpty }.map { "\($0.0)=\(Self.line($0.1))" }
    }

    private static func command(_ words: [String]) -> BusValue {
        .array(of: "(sasb)", [.structure([.string(words[0]), .strings(words), .boolean(false)])])
    }

    /// A text without what ends a line.
    private static func line(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : Character($0) })
    }
}
