import ArgumentParser
import FoundationEssentials
import Logging
import PrefectClient
import Systemd
import WorkerKit
import WorkerLogging

/// The format of log lines.
enum LogFormatOption: String, ExpressibleByArgument, CaseIterable {
    case human
    case json
    case journal
}

/// Flags that every command takes.
struct CommonOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The Prefect profile to use.", valueName: "name"))
    var profile: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The form of the log: lines for people, one JSON object per line, or entries of systemd's journal. Default: "
                + "journal if standard error is connected to it, else human.",
            valueName: "format"))
    var logFormat: LogFormatOption?

    /// Loads Prefect's settings from all of their sources. `rootProfile` is the profile that was given before the
    /// command's name.
    func loadSettings(rootProfile: String?) throws -> PrefectSettings {
        var environment = ProcessInfo.processInfo.environment
        for name in ["PREFECT_API_KEY", "PREFECT_API_AUTH_STRING"] where environment[name] == nil {
            environment[name] = ServiceManager.credential(name.lowercased().replacing("_", with: "-"))
        }
        let directory = FileManager.default.currentDirectoryPath
        return try PrefectSettings.load(
            environment: environment, workingDirectory: directory, profile: profile ?? rootProfile)
    }

    /// Returns the journal if the log goes there.
    func journal() throws -> JournalSocket? {
        guard logFormat == .journal || logFormat == nil && JournalSocket.receives(2) else { return nil }
        guard let journal = JournalSocket() else {
            throw Refusal("There is no socket for the journal; choose another --log-format, or raise LimitNOFILE=")
        }
        return journal
    }

    /// Makes the output of the worker's own log, to the journal or to standard error.
    func makeLogOutput(
        _ settings: PrefectSettings, journal: JournalSocket?, redact: @escaping @Sendable (String) -> String
    ) throws -> LogOutput {
        let format: LogFormat
        if let journal {
            format = .journal(journal)
        } else if logFormat == .json {
            format = .json
        } else {
            let environment = ProcessInfo.processInfo.environment
            format = .human(
                colors: LogColors.areWanted(isEnabled: settings.colorsAreEnabled, environment: environment))
        }
        return try LogOutput(format: format, redact: redact)
    }
}

/// The job variables that the operator allows deployments and flow runs to set.
struct JobVariableOptions: ParsableArguments {
    @Option(
        name: .customLong("allow-job-variable"), parsing: .singleValue,
        help: ArgumentHelp(
            "A restricted job variable, such as user in a systemd pool, that deployments and flow runs may set; repeatable "
                + "(PREFECT_WORKER_ALLOWED_JOB_VARIABLES). Restricted variables control what a run may do on this host. "
                + "Default: none.",
            valueName: "variable"))
    var allowJobVariable: [String] = []

    /// Returns the variables that the flags name, or else those of the environment.
    func allowed(in environment: [String: String]) -> [String] {
        if !allowJobVariable.isEmpty { return allowJobVariable }
        let text = environment["PREFECT_WORKER_ALLOWED_JOB_VARIABLES"] ?? ""
        return text.split(separator: ",").map { $0.filter { $0 != " " } }.filter { !$0.isEmpty }
    }
}

extension PrefectSettings {
    /// The level of the worker's log.
    var workerLogLevel: Logger.Level {
        worker.debugMode || debugMode ? .debug : Logger.Level(prefectName: loggingLevel.name) ?? .info
    }
}
