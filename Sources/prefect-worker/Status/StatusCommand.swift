import ArgumentParser
import PrefectJSON
import WorkerKit

/// `prefect-worker status`: shows the running workers of this host, once.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the running workers of this host: work pools, slots, outages, promptness and runs in flight.")

    @ParentCommand var root: RootCommand
    @OptionGroup var common: CommonOptions
    @OptionGroup var selection: WorkerSelection

    @Flag(help: "Print one JSON object per line, as /status answers it.")
    var json = false

    func run() async throws {
        let settings = try common.loadSettings(rootProfile: root.profile)
        let selected = try await selection.select(settings, canBeSeveral: true)
        let width = max(40, LiveScreen.size.columns)
        for (index, worker) in selected.workers.enumerated() {
            if json {
                print(worker.status.serialized(.compact))
            } else {
                let lines = StatusText(report: worker.status, width: width).lines
                print(((index > 0 ? [""] : []) + lines).joined(separator: "\n"))
            }
        }
        guard selected.silent.isEmpty else {
            throw Refusal(selected.silent.map(\.description).joined(separator: "; "))
        }
    }
}
