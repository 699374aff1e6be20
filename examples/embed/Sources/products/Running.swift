import Dispatch
import Glibc
import PrefectClient
import WorkerKit

/// Runs a worker that SIGTERM shuts down: the first drains it, the second stops the flow runs in flight.
func runUntilSIGTERM(_ worker: PrefectWorker) async throws {
    signal(SIGTERM, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: SIGTERM)
    source.setEventHandler { worker.shutDown() }
    source.resume()
    defer { source.cancel() }
    try await worker.run()
}

/// Puts changed settings and another plan in force.
func reload(_ worker: PrefectWorker) async throws {
    let plan = ServingPlan(pools: [ServingPlan.Pool(name: "local"), ServingPlan.Pool(name: "nightly")])
    try await worker.reload(PrefectSettings.load(), plan: plan)
}

/// The worker's state for a health check: whether the program is to be restarted, and whether it can run flows.
func health(of worker: PrefectWorker) -> (isAlive: Bool, isReady: Bool, text: String) {
    (worker.isAlive, worker.reasonNotReady == nil, worker.reasonNotReady ?? worker.status)
}
