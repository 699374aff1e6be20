import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON

extension VectorTable {
    static let flowRuns: [String: VectorCall] = [
        "create_flow_run": { client, arguments in
            let flow = arguments.members["flow"] ?? [:]
            return VectorResult(
                try await client.createFlowRun(
                    ofFlow: flow["name"]?.stringValue ?? "", version: flow["version"]?.stringValue,
                    retries: flow["retries"]?.intValue ?? 0,
                    retryDelay: .seconds(flow["retry_delay_seconds"]?.doubleValue ?? 0), name: arguments.value("name"),
                    parameters: arguments.value("parameters") ?? [:], context: arguments.value("context") ?? [:],
                    tags: arguments.value("tags") ?? [], parentTaskRunID: arguments.value("parent_task_run_id"),
                    state: arguments.value("state"), workPoolName: arguments.value("work_pool_name"),
                    workQueueName: arguments.value("work_queue_name"), jobVariables: arguments.value("job_variables")))
        },
        "read_flow_run": { client, arguments in
            VectorResult(try await client.readFlowRun(id: arguments.required("flow_run_id")))
        },
        "read_flow_runs": { client, arguments in
            VectorResult(
                try await client.readFlowRuns(
                    flows: arguments.value("flow_filter"), flowRuns: arguments.value("flow_run_filter"),
                    taskRuns: arguments.value("task_run_filter"), deployments: arguments.value("deployment_filter"),
                    workPools: arguments.value("work_pool_filter"), workQueues: arguments.value("work_queue_filter"),
                    sort: arguments.value("sort"), limit: arguments.value("limit"),
                    offset: arguments.value("offset") ?? 0))
        },
        "count_flow_runs": { client, arguments in
            VectorResult(
                try await client.countFlowRuns(
                    flows: arguments.value("flow_filter"), flowRuns: arguments.value("flow_run_filter"),
                    taskRuns: arguments.value("task_run_filter"), deployments: arguments.value("deployment_filter"),
                    workPools: arguments.value("work_pool_filter"), workQueues: arguments.value("work_queue_filter")))
        },
        "update_flow_run": { client, arguments in
            let changes: FlowRunUpdate = try arguments.record(
                "flow_version", "parameters", "name", "tags", "empirical_policy", "infrastructure_pid", "job_variables")
            try await client.updateFlowRun(id: arguments.required("flow_run_id"), changes)
            return .nothing
        },
        "set_flow_run_name": { client, arguments in
            try await client.setFlowRunName(id: arguments.required("flow_run_id"), to: arguments.required("name"))
            return .nothing
        },
        "update_flow_run_labels": { client, arguments in
            try await client.updateFlowRunLabels(
                id: arguments.required("flow_run_id"), arguments.required("labels"))
            return .nothing
        },
        "delete_flow_run": { client, arguments in
            try await client.deleteFlowRun(id: arguments.required("flow_run_id"))
            return .nothing
        },
        "set_flow_run_state": { client, arguments in
            VectorResult(
                try await client.setFlowRunState(
                    id: arguments.required("flow_run_id"), arguments.required("state"),
                    force: arguments.value("force") ?? false))
        },
        "resume_flow_run": { client, arguments in
            VectorResult(
                try await client.resumeFlowRun(
                    id: arguments.required("flow_run_id"), runInput: arguments.value("run_input")))
        },
        "read_flow_run_states": { client, arguments in
            VectorResult(try await client.readFlowRunStates(flowRunID: arguments.required("flow_run_id")))
        },
        "read_flow_run_state": { client, arguments in
            VectorResult(try await client.readFlowRunState(id: arguments.required("flow_run_state_id")))
        },
        "create_flow_run_input": { client, arguments in
            try await client.createFlowRunInput(
                flowRunID: arguments.required("flow_run_id"), key: arguments.required("key"),
                value: arguments.required("value"), sender: arguments.value("sender"))
            return .nothing
        },
        "read_flow_run_input": { client, arguments in
            VectorResult(
                try await client.readFlowRunInput(
                    flowRunID: arguments.required("flow_run_id"), key: arguments.required("key")))
        },
        "filter_flow_run_input": { client, arguments in
            VectorResult(
                try await client.filterFlowRunInput(
                    flowRunID: arguments.required("flow_run_id"), keyPrefix: arguments.required("key_prefix"),
                    limit: arguments.required("limit"),
                    excluding: Set(arguments.value("exclude_keys", as: [String].self) ?? [])))
        },
        "delete_flow_run_input": { client, arguments in
            try await client.deleteFlowRunInput(
                flowRunID: arguments.required("flow_run_id"), key: arguments.required("key"))
            return .nothing
        },
    ]
}
