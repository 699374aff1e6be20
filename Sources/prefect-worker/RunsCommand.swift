import ArgumentParser
import FoundationEssentials
import JSON
import PrefectAPI
import Worker

/// `prefect-worker runs`: what the ledgers on this host say is in flight.
struct RunsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs", abstract: "Show the flow runs in flight, as the workers of this host have noted them.")

    @ParentCommand var root: PrefectWorker
    @OptionGroup var common: CommonOptions

    @Option(
        help: ArgumentHelp(
            "The state directory of one worker. Default: STATE_DIRECTORY, else all below PREFECT_HOME/prefect-worker.",
            valueName: "folder"))
    var stateDir: String?

    @Flag(help: "Print one JSON object a line.")
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
        let rows = [["FLOW RUN", "NAME", "POOL", "STAGE", "SINCE", "INFRASTRUCTURE"]] + entries.map(row)
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        for row in rows {
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            print(line)
        }
    }

    private func row(_ entry: LedgerEntry) -> [String] {
        [
            entry.flowRunID, entry.flowRunName, entry.pool, entry.stage.rawValue, entry.written.apiFormat,
            entry.identifier.map { "\($0)" } ?? "-",
        ]
    }
}
