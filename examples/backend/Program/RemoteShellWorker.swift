import PrefectClient
import RemoteShellBackend
import WorkerKit

/// Serves one pool of the type `remote-shell`: `remote-shell-worker POOL`.
@main
struct RemoteShellWorker {
    static func main() async throws {
        let pool = CommandLine.arguments.dropFirst().first ?? "remote-shell"
        let plan = ServingPlan(pools: [ServingPlan.Pool(name: pool, type: "remote-shell")])
        let configuration = WorkerConfiguration(
            settings: try PrefectSettings.load(), plan: plan, backends: [RemoteShellBackend.self])
        try await PrefectWorker(configuration).run()
    }
}
