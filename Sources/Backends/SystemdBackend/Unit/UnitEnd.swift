internal import BackendKit

/// How a unit ended, as systemd reports it to the unit's last command: `SERVICE_RESULT`, `EXIT_CODE` and `EXIT_STATUS`.
struct UnitEnd: Sendable, Hashable {
    /// `success`, `exit-code`, `signal`, `oom-kill`, `timeout`, …
    let result: String
    /// The exit code of the main process, or the negative number of a signal; `nil` when the unit never had a main
    /// process.
    let code: Int?
    let hasDumpedCore: Bool

    /// Reads the three values, one per line.
    init?(text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard lines.count >= 3, !lines[0].isEmpty else { return nil }
        result = lines[0]
        hasDumpedCore = lines[1] == "dumped"
        switch lines[1] {
        case "exited": code = Int(lines[2])
        case "killed", "dumped": code = Self.signal(lines[2]).map { -$0 }
        default: code = nil
        }
    }

    /// Returns a signal's number from its name without `SIG`, or from the number itself. The numbers of some names
    /// differ between architectures.
    private static func signal(_ name: String) -> Int? { Int(name) ?? signals[name].map(Int.init) }

    /// Returns the status that is reported for the run. The limits of the job explain some results.
    func status(_ limits: UnitLimits, lastOutput: String?) -> ExitStatus {
        var code = code
        // A run that ends in an orderly way because of its time limit has not completed.
        if result == "timeout", limits.runtime != nil, code == 0 { code = -15 }
        return ExitStatus(code: code, lastOutput: code == 0 ? nil : lastOutput, reason: reason(limits))
    }

    private func reason(_ limits: UnitLimits) -> String? {
        let memory = limits.memory.map { " of \($0)" } ?? ""
        switch result {
        case "oom-kill":
            return "The run ran out of memory: the kernel killed it (OOM) at its memory_max\(memory)."
        case "timeout" where limits.runtime != nil:
            return
                "The run took longer than its runtime_max_sec\(limits.runtime.map { " of \($0) s" } ?? "") and was ended."
        case "signal" where code == -9 && limits.memory != nil:
            return "The run was killed (SIGKILL), probably by the kernel at its memory_max\(memory)."
        case "resources":
            return "systemd could not provide the resources of the run; see 'systemctl status' and the journal."
        case "success", "signal", "core-dump", "timeout":
            return hasDumpedCore ? "The run's process dumped its core." : nil
        case "exit-code": return code.flatMap { Self.systemdCodes[$0] }
        default: return "systemd ended the run's unit with the result '\(result)'."
        }
    }

    /// The meanings of the exit codes with which systemd itself ends a process before it becomes the program.
    private static let systemdCodes: [Int: String] = {
        let steps = [
            200: "enter the working directory", 201: "set the priority", 202: "close descriptors",
            203: "execute /bin/sh", 205: "set the resource limits", 208: "open standard input",
            209: "open standard output", 214: "set the scheduling", 216: "switch to the 'group'",
            217: "switch to the 'user'", 218: "drop capabilities", 219: "join the control group",
            225: "create a private network ('private_network')",
            226: "set up the file system for the sandboxing variables", 227: "set no_new_privileges",
            228: "set up seccomp", 239: "create the cache directory",
        ]
        return steps.mapValues { "systemd ends a unit with this code when it cannot \($0); correct the job variables." }
    }()
}

/// The limits of a run that explain its end.
struct UnitLimits: Sendable, Hashable {
    /// The memory limit, for messages.
    var memory: String?
    /// The time limit in seconds, for messages.
    var runtime: String?
}
