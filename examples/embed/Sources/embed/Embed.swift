import PrefectClient
import ProcessBackend
import WorkerKit

@main
struct Embed {
    static func main() async throws {
        let settings = try PrefectSettings.load()
        let plan = ServingPlan(pools: [ServingPlan.Pool(name: "local")])
        let configuration = WorkerConfiguration(settings: settings, plan: plan, backends: [ProcessBackend.self])
        let worker = try PrefectWorker(configuration)
        try await worker.run()
    }
}
