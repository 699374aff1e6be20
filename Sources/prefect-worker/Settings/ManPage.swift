import ArgumentParser

/// The man page, in the macros of man(7).
struct ManPage {
    let catalog: SettingsCatalog
    let commands: [CommandHelp]

    var text: String {
        """
        .TH PREFECT\\-WORKER 1 "" "prefect\\-worker \(RootCommand.version)" "User Commands"
        .SH NAME
        prefect\\-worker \\- a native worker for Prefect 3
        .SH SYNOPSIS
        .B prefect\\-worker
        .I command
        .RI [ flags ]
        .SH DESCRIPTION
        \(Self.roff(RootCommand.configuration.discussion))
        .SH COMMANDS
        \(commands.map(Self.command).joined(separator: "\n"))
        .SH SIGNALS
        \(Self.entries([
            (
                "SIGTERM, SIGINT",
                "The first drains the worker: it claims no more runs and waits for those in flight. The second stops the runs "
                    + "that are its child processes. The third ends the worker at once. Signals within a second count as one."
            ),
            (
                "SIGHUP",
                "The worker reads settings, credentials, the profile and the file of --config again. They apply to "
                    + "everything that begins later."
            ),
        ]))
        .SH ENVIRONMENT
        Variables take precedence over the files of settings.
        \(catalog.sections.flatMap(\.settings).map(Self.variable).joined(separator: "\n"))
        .SH FILES
        \(Self.entries([
            ("/etc/prefect-worker/worker.toml", "The pools of prefect-worker.service (--config)."),
            ("/etc/prefect-worker/environment", "The environment of the units; NAME.environment for one instance."),
            (
                "/etc/credstore/prefect-api-key, /etc/credstore/prefect-api-auth-string",
                "Credentials of the units, readable by root alone."
            ),
            ("/var/lib/prefect-worker", "State of the units: the ledger of runs in flight, the worker's name."),
            ("~/.prefect/profiles.toml", "Prefect's profiles."),
            ("~/.prefect/prefect-worker", "State of workers that were started by hand."),
            (".env, prefect.toml, pyproject.toml", "Settings, in the working directory."),
        ]))
        .SH EXIT STATUS
        \(Self.entries([
            ("0", "A normal end; for check: nothing is wrong."),
            ("1", "An error that one line on standard error describes; for check: something is wrong."),
            ("64", "The command line is wrong."),
            ("130, 143", "A third SIGINT or SIGTERM has ended the worker."),
        ]))
        .SH EXAMPLES
        \(Self.examples([
            ("Serve a pool:", "prefect-worker start --pool my-pool"),
            ("Check everything that this needs:", "prefect-worker check --pool my-pool"),
            ("Serve a pool as a service:", "systemctl enable --now prefect-worker@my-pool"),
            (
                "Show the job configuration for a run of a deployment:",
                "prefect-worker render --pool my-pool --deployment my-flow/my-deployment"
            ),
            ("Show the runs in flight on this host:", "prefect-worker runs"),
        ]))
        .SH SEE ALSO
        .BR systemctl (1),
        .BR journalctl (1),
        .BR systemd\\-escape (1)

        """
    }

    private static func command(_ command: CommandHelp) -> String {
        let discussion = command.discussion.isEmpty ? "" : ".PP\n\(roff(command.discussion))\n"
        return ".SS \(roff(command.name))\n\(roff(command.abstract))\n\(discussion)"
            + entries(command.arguments.map { ($0.usage, $0.meaning) })
    }

    private static func variable(_ setting: KnownSetting) -> String {
        let preset = setting.defaultText.map { $0.isEmpty ? "" : " Default: \($0)." } ?? ""
        return entries([(setting.variables.joined(separator: ", "), setting.meaning + preset)])
    }

    private static func entries(_ entries: [(String, String)]) -> String {
        entries.map { ".TP\n.B \(roff($0))\n\(roff($1))" }.joined(separator: "\n")
    }

    private static func examples(_ examples: [(String, String)]) -> String {
        examples.map { ".PP\n\(roff($0))\n.PP\n.RS 4\n.EX\n\(roff($1))\n.EE\n.RE" }.joined(separator: "\n")
    }

    /// Returns text for the typesetter: without Markdown's quotation of code, and with escaped special characters.
    private static func roff(_ text: String) -> String {
        let plain = text.replacing("`", with: "").replacing("\\", with: "\\e").replacing("-", with: "\\-")
        return plain.hasPrefix(".") || plain.hasPrefix("'") ? "\\&\(plain)" : plain
    }
}
