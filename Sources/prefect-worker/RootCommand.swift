import ArgumentParser
import Glibc
import PrefectClient
import PrefectJSON
import WorkerKit

/// The command line. It reads flags, connects the parts of the program and reports errors.
@main
struct RootCommand: AsyncParsableCommand {
    static let version = "1.0.0-rc.1"

    static let configuration = CommandConfiguration(
        commandName: "prefect-worker",
        abstract: "A native worker for Prefect 3: polls work pools and launches their flow runs.",
        discussion: """
            The worker takes the flags, settings and profiles of `prefect worker start`. It speaks the same protocol, \
            with Prefect server 3.x and Prefect Cloud. Settings come from PREFECT_* variables, `.env`, `prefect.toml`, \
            `pyproject.toml` and the active profile, in this order.
            """,
        version: "prefect-worker \(version) (Prefect \(APIClient.prefectVersion), API \(APIClient.apiVersion))",
        subcommands: [
            StartCommand.self, RenderCommand.self, TemplateCommand.self, CheckCommand.self, RunsCommand.self,
            StatusCommand.self, TopCommand.self, PauseCommand.self, ResumeCommand.self, DrainCommand.self,
            HealthcheckCommand.self, SettingsCommand.self, APICommand.self, WorkPoolCommand.self,
            PrefectVersionCommand.self,
        ])

    @Option(name: .long, help: ArgumentHelp("The Prefect profile to use.", valueName: "name"))
    var profile: String?

    /// Returns the arguments without the word `worker` of `prefect worker start`, so that a command line of Prefect
    /// works unchanged.
    static func withoutGroup(_ arguments: [String]) -> [String] {
        var rest = arguments
        let index = PrefectCommandLine.firstCommand(rest)
        if index < rest.count, rest[index] == "worker" { rest.remove(at: index) }
        return rest
    }

    /// Returns this program's arguments. Under the name `prefect`, an unknown command ends the program with exit status
    /// 2, as it ends Prefect's own.
    private static func arguments(of line: [String], isPrefect: Bool) throws -> [String] {
        let arguments = Array(line.dropFirst())
        guard isPrefect else { return withoutGroup(arguments) }
        if let translated = PrefectCommandLine.translated(arguments) { return translated }
        Terminal.writeError(PrefectCommandLine.refusal(arguments) + "\n")
        throw ExitCode(2)
    }

    /// Runs the command that the arguments name. An error is shown without terminal control sequences, because files,
    /// variables and the API may have put them there.
    static func main() async {
        let isPrefect = PrefectCommandLine.isPrefect(CommandLine.arguments.first ?? "")
        do {
            var command = try parseAsRoot(arguments(of: CommandLine.arguments, isPrefect: isPrefect))
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            skipExitHandlers()
        } catch {
            skipExitHandlers()
            let message = fullMessage(for: error)
            if isPrefect, exitCode(for: error) == .validationFailure {
                Terminal.writeError(message.escapedForTerminal(keepingLines: true) + "\n")
                Glibc.exit(2)
            }
            guard message != message.escapedForTerminal(keepingLines: true) else { exit(withError: error) }
            if exitCode(for: error) == .failure { exit(withError: Refusal("\(error)")) }
            Terminal.writeError(message.escapedForTerminal(keepingLines: true) + "\n")
            Glibc.exit(exitCode(for: error).rawValue)
        }
    }

    /// Makes the process end without the exit handlers of libraries. OpenSSL's handler frees locks that the threads of a
    /// transport still use. The handler that was added last runs first.
    private static func skipExitHandlers() {
        on_exit(
            { status, _ in
                fflush(nil)
                _exit(status)
            }, nil)
    }
}

/// An error that the user has to correct. It is shown as one line, with exit status 1.
typealias Refusal = WorkerRefusal
