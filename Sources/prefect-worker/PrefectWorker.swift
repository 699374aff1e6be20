import ArgumentParser
import PrefectAPI

/// The command line: it reads flags, wires the parts together and says what went wrong.
@main
struct PrefectWorker: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "prefect-worker",
        abstract: "A native worker for Prefect 3: polls work pools and launches their flow runs.",
        discussion: """
            Takes the flags, settings and profiles of `prefect worker start` and speaks the same protocol, with Prefect \
            server 3.x and Prefect Cloud. Settings come from PREFECT_* variables, `.env`, `prefect.toml`, \
            `pyproject.toml` and the active profile, in this order.
            """,
        version: "prefect-worker \(version) (Prefect \(APIClient.prefectVersion), API \(APIClient.apiVersion))",
        subcommands: [
            StartCommand.self, RenderCommand.self, TemplateCommand.self, CheckCommand.self, RunsCommand.self,
            HealthcheckCommand.self, SettingsCommand.self,
        ])

    @Option(name: .long, help: ArgumentHelp("The Prefect profile to use.", valueName: "name"))
    var profile: String?
}

/// Something that the user has to put right; shown as one line, exit status 1.
struct Refusal: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
