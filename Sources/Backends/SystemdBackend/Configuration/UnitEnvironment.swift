internal import BackendKit
internal import JobTemplates
internal import OrderedCollections

/// The environment of a run, which a shell in the unit reads. It is never a property of the unit, because every user of
/// the host can read the properties of units.
struct UnitEnvironment: Sendable {
    private var variables: [(name: String, value: String)] = []
    private var unset: [String] = []

    init() {}

    /// Merges the job's environment over the worker's own.
    ///
    /// The run inherits neither variables of the worker's own unit nor variables that a shell cannot set. A run with
    /// another user does not inherit variables of the worker's user. If a shell cannot set a variable of the job, the
    /// job is refused with the variable's name.
    init(
        inherited: [String: String], prepared: PreparedJobConfiguration, hasUser: Bool
    ) throws(InfrastructureError) {
        for name in prepared.env.keys + prepared.unsetEnv where !Self.isName(name) || Self.readOnly.contains(name) {
            throw InfrastructureError(
                .refused,
                "The job variable 'env' has '\(name.prefix(100))', which is not a valid shell variable name; rename it")
        }
        for (name, value) in prepared.env where value.utf8.contains(0) {
            throw InfrastructureError(.refused, "The variable '\(name)' of the job's 'env' holds a NUL character")
        }
        let kept = inherited.filter { name, value in
            Self.isName(name) && !Self.readOnly.contains(name) && !Self.ownVariables.contains(name)
                && !(hasUser && Self.userVariables.contains(name)) && !Self.isWorkersOwn(name, hasUser: hasUser)
                && !value.utf8.contains(0)
        }.sorted { $0.key < $1.key }
        let merged = mergeProcessEnvironment(inherited: kept, prepared: prepared)
        variables = merged.launched.map { ($0.key, $0.value) }
        unset = prepared.unsetEnv
    }

    /// Whether a variable is the worker's own: it controls how the worker works, or names a directory of the worker.
    /// The directories count only if the run has another user.
    static func isWorkersOwn(_ name: String, hasUser: Bool) -> Bool {
        WorkerSettings.tune(name) || hasUser && WorkerSettings.namePlace(name)
    }

    /// The shell script that sets the environment.
    var text: String {
        let assignments = variables.map { name, value in "export \(name)=\(singleQuoted(value))\n" }
        return unset.map { "unset \($0)\n" }.joined() + assignments.joined()
    }

    private static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }

    /// Variables that are read-only in some shell.
    private static let readOnly: Set<String> = ["UID", "EUID", "PPID", "SHELLOPTS", "BASHOPTS", "BASH_VERSINFO"]
    /// Variables with which a manager describes a unit to the unit itself.
    private static let ownVariables: Set<String> = [
        "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "MAINPID", "MANAGERPID", "MEMORY_PRESSURE_WATCH",
        "MEMORY_PRESSURE_WRITE", "CACHE_DIRECTORY", "STATE_DIRECTORY", "LOGS_DIRECTORY", "RUNTIME_DIRECTORY",
        "CONFIGURATION_DIRECTORY", "CREDENTIALS_DIRECTORY", "FDSTORE", "PIDFILE", "TRIGGER_UNIT", "TRIGGER_PATH",
        "PREFECT__CONTROL_PORT", "PREFECT__CONTROL_TOKEN",
    ]
    /// Variables with which a manager describes the user of a unit.
    private static let userVariables: Set<String> = [
        "HOME", "USER", "LOGNAME", "SHELL", "MAIL", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
        "XDG_DATA_HOME", "XDG_STATE_HOME", "DBUS_SESSION_BUS_ADDRESS",
    ]
}
