import FoundationEssentials
import Glibc
import PrefectClient

/// Prints the flow runs that failed or crashed within the last hour, by their flows.
///
/// Run it each hour. The exit status is 1 when there was such a run. An argument is another number of minutes.
@main
struct Report {
    static func main() async throws {
        let minutes = CommandLine.arguments.dropFirst().first.flatMap { Double($0) } ?? 60
        let client = try APIClient(settings: PrefectSettings.load())
        let filter = FlowRunFilter(
            state: FlowRunFilterState(type: .any(.failed, .crashed)),
            endTime: .after(Timestamp.now.adding(seconds: -minutes * 60)))
        let runs = Pages { limit, offset in
            try await client.readFlowRuns(flowRuns: filter, sort: .idDescending, limit: limit, offset: offset)
        }
        var failures: [UUID: [FlowRun]] = [:]
        for try await run in runs { failures[run.flowID, default: []].append(run) }
        for (flowID, runs) in failures.sorted(by: { $0.value.count > $1.value.count }) {
            let flow = try await client.readFlow(id: flowID)
            print("\(flow.name): \(runs.count) failed")
            for run in runs { print("  \(run.name): \(run.state?.message ?? run.stateName ?? "no reason")") }
        }
        if failures.isEmpty { print("no run failed within \(Int(minutes)) minutes") } else { exit(1) }
    }
}
