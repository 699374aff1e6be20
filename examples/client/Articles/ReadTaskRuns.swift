import FoundationEssentials
import PrefectClient

func printFailedTasks(_ client: APIClient, flowRun: UUID) async throws {
    let failed = TaskRunFilter(state: TaskRunFilterState(type: .any(.failed, .crashed)))
    let runs = Pages { limit, offset in
        try await client.readTaskRuns(
            flowRuns: FlowRunFilter(id: .equals(flowRun)), taskRuns: failed, sort: .idDescending, limit: limit,
            offset: offset)
    }
    for try await run in runs {
        let state = try await client.readTaskRunStates(taskRunID: run.id).last
        print("\(run.name): \(state?.message ?? "no message")")
    }
}
