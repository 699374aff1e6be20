import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON

extension VectorTable {
    static let taskRuns: [String: VectorCall] = [
        "create_task_run": { client, arguments in
            let task = arguments.members["task"] ?? [:]
            let extraTags: [String] = try arguments.value("extra_tags") ?? []
            let tags = (task["tags"]?.arrayValue ?? []).compactMap(\.stringValue)
            let dynamicKey = arguments.members["dynamic_key"] ?? ""
            let run = TaskRunCreate(
                taskKey: task["task_key"]?.stringValue ?? "",
                dynamicKey: dynamicKey.stringValue ?? dynamicKey.serialized())
            return VectorResult(try await client.createTaskRun(try run.with(task, tags: tags + extraTags, arguments)))
        },
        "read_task_run": { client, arguments in
            VectorResult(try await client.readTaskRun(id: arguments.required("task_run_id")))
        },
        "read_task_runs": { client, arguments in
            VectorResult(
                try await client.readTaskRuns(
                    flows: arguments.value("flow_filter"), flowRuns: arguments.value("flow_run_filter"),
                    taskRuns: arguments.value("task_run_filter"), deployments: arguments.value("deployment_filter"),
                    sort: arguments.value("sort"), limit: arguments.value("limit"),
                    offset: arguments.value("offset") ?? 0))
        },
        "set_task_run_name": { client, arguments in
            try await client.setTaskRunName(id: arguments.required("task_run_id"), to: arguments.required("name"))
            return .nothing
        },
        "set_task_run_state": { client, arguments in
            VectorResult(
                try await client.setTaskRunState(
                    id: arguments.required("task_run_id"), arguments.required("state"),
                    force: arguments.value("force") ?? false))
        },
        "read_task_run_states": { client, arguments in
            VectorResult(try await client.readTaskRunStates(taskRunID: arguments.required("task_run_id")))
        },
        "delete_task_run": { client, arguments in
            try await client.deleteTaskRun(id: arguments.required("task_run_id"))
            return .nothing
        },
    ]
}

extension TaskRunCreate {
    /// The run with the members that Prefect's client takes from a task and from the arguments.
    fileprivate func with(
        _ task: JSONValue, tags: [String], _ arguments: VectorArguments
    ) throws -> TaskRunCreate {
        var run = self
        if let id: UUID = try arguments.value("id") { run.id = id }
        run.name = try arguments.value("name")
        run.flowRunID = try arguments.value("flow_run_id")
        run.taskVersion = task["version"]?.stringValue
        run.tags = OrderedSet(tags).elements
        if let state: StateCreate = try arguments.value("state") { run.state = state }
        if let inputs = arguments.members["task_inputs"], !inputs.isNull { run["task_inputs"] = inputs }
        run.empiricalPolicy = TaskRunPolicy {
            $0.retries = task["retries"]?.intValue ?? 0
            // Prefect's client sends whole seconds.
            $0["retry_delay"] =
                switch task["retry_delay_seconds"] ?? 0 {
                case .array(let delays): .array(delays.map { .int(Int($0.doubleValue ?? 0)) })
                case let delay: delay.doubleValue.map { .int(Int($0)) } ?? .null
                }
            $0.retryJitterFactor = task["retry_jitter_factor"]?.doubleValue
        }
        return run
    }
}
