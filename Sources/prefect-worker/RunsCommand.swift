import ArgumentParser
import FoundationEssentials
import PrefectClient
import PrefectJSON
import WorkerKit

/// `prefect-worker runs`: shows the flow runs in flight, from the ledgers on this host.
struct RunsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs", abstract: "Show the flow runs in flight that the workers on this host have recorded.")

    @ParentCommand var root: RootCommand
    @OptionGroup var common: CommonOptions

    @Option(
        help: ArgumentHelp(
            "The state directory of one worker. Default: STATE_DIRECTORY, else all below PREFECT_HOME/prefect-worker.",
            valueName: "directory"))
    var stateDir: String?

    @Flag(help: "Print one JSON object per line.")
    var json = false

    func run() async throws {
        let settings = try common.loadSettings(rootProfile: root.profile)
        let directories = StateDirectories.existing(
            stateDir, settings: settings, environment: ProcessInfo.processInfo.environment)
        var entries: [LedgerEntry] = []
        for directory in directories {
            do {
                entries += try RunLedger.entries(inDirectory: directory)
            } catch {
                throw Refusal("The ledger in '\(directory)' cannot be read: \(error)")
            }
        }
        entries.sort { $0.written < $1.written }
        if json {
            for entry in entries { print(entry.json.serialized()) }
            return
        }
        guard !entries.isEmpty else { return print("No flow run is in flight on this host.") }
        for entry in entries { show(entry) }
    }

    /// Prints two lines. The first fits a terminal of 80 columns, and so does the second with names of usual length.
    private func show(_ entry: LedgerEntry) {
        let since = entry.written.apiFormat.prefix(19).replacing("T", with: " ")
        print("\(entry.flowRunID)  \(entry.stage.rawValue) since \(since) UTC".escapedForTerminal())
        let place = entry.identifier.map { ", \($0)" } ?? ""
        print("    \(entry.flowRunName), work pool \(entry.pool)\(place)".escapedForTerminal())
    }
}
