/// The documentation page with every flag and every setting.
struct SettingsPage {
    let catalog: SettingsCatalog
    let commands: [CommandHelp]

    var text: String {
        """
        # Flags and settings

        Every flag and every setting that the worker reads.

        `prefect-worker settings --markdown` prints this page. `prefect-worker settings` shows the values on a host and their
        sources, with secrets masked.

        ## Flags

        \(commands.map(Self.flags).joined(separator: "\n"))
        ## Where settings come from

        The worker looks for Prefect's settings, and those of its Kubernetes integration, in this order. It uses the first
        value that it finds:

        1. `PREFECT_…` variables of the environment
        2. `.env` in the working directory
        3. `prefect.toml` in the working directory, by the key
        4. `pyproject.toml` in the working directory, by the key below `tool.prefect`
        5. the profile: that of `--profile`, else of `PREFECT_PROFILE`, else the active one of `profiles.toml`
        6. the default

        The worker knows all names and aliases of Prefect 3.8. It passes each setting on to flow runs, except for its own:
        `PREFECT_HOME`, `PREFECT_PROFILES_PATH` and `PREFECT_WORKER_…`. Containers and jobs of a cluster get none of these.
        Runs of process pools inherit them with the environment; runs of systemd pools inherit the first two, unless they
        have another user. The worker itself uses only the settings on this page. It reads everything that is not a setting of
        Prefect from the environment only. On SIGHUP, the worker reads the sources again, but a process keeps the environment
        that it was started with.

        \(catalog.sections.map(Self.section).joined(separator: "\n"))
        """
    }

    private static func flags(_ command: CommandHelp) -> String {
        """
        ### prefect-worker \(command.name)

        \(command.abstract)

        | flag | meaning |
        |---|---|
        \(command.arguments.map { "| `\($0.usage)` | \(cell($0.meaning)) |\n" }.joined())
        """
    }

    private static func section(_ section: SettingsCatalog.Section) -> String {
        let hasKeys = section.settings.contains { $0.key != nil }
        let header =
            hasKeys ? "| variable | key | default | value | meaning |" : "| variable | default | value | meaning |"
        let rows = section.settings.map { setting in
            var cells = [setting.variables.map { "`\($0)`" }.joined(separator: ", ")]
            if hasKeys { cells.append(setting.key.map { "`\($0)`" } ?? "") }
            cells += [
                setting.defaultText.map { $0.isEmpty ? "" : "`\($0)`" } ?? "", setting.expectation, setting.meaning,
            ]
            return "| \(cells.map(cell).joined(separator: " | ")) |\n"
        }
        return """
            ## \(section.title)

            \(header)
            |\(String(repeating: "---|", count: hasKeys ? 5 : 4))
            \(rows.joined())
            """
    }

    private static func cell(_ text: String) -> String { text.replacing("|", with: "\\|") }
}
