import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON

extension VectorTable {
    static let deployments: [String: VectorCall] = [
        "create_deployment": { client, arguments in
            VectorResult(
                try await client.createDeployment(
                    arguments.record(
                        "flow_id", "name", "version", "version_info", "schedules", "concurrency_limit",
                        "concurrency_options", "parameters", "description", "work_queue_name", "work_pool_name",
                        "tags", "storage_document_id", "path", "entrypoint", "infrastructure_document_id",
                        "parameter_openapi_schema", "paused", "pull_steps", "enforce_parameter_schema",
                        "job_variables", "branch", "base", "root")))
        },
        "read_deployment": { client, arguments in
            VectorResult(try await client.readDeployment(id: arguments.required("deployment_id")))
        },
        "read_deployment_by_name": { client, arguments in
            VectorResult(try await client.readDeployment(named: arguments.required("name")))
        },
        "read_deployments": { client, arguments in
            VectorResult(
                try await client.readDeployments(
                    flows: arguments.value("flow_filter"), flowRuns: arguments.value("flow_run_filter"),
                    taskRuns: arguments.value("task_run_filter"), deployments: arguments.value("deployment_filter"),
                    workPools: arguments.value("work_pool_filter"), workQueues: arguments.value("work_queue_filter"),
                    sort: arguments.value("sort"), limit: arguments.value("limit"),
                    offset: arguments.value("offset") ?? 0))
        },
        "update_deployment": { client, arguments in
            var changes: DeploymentUpdate = try arguments.required("deployment")
            // Prefect's model has these members, and its client never sends them.
            for name in ["name", "flow_name", "triggers"] { changes[name] = nil }
            try await client.updateDeployment(id: arguments.required("deployment_id"), changes)
            return .nothing
        },
        "pause_deployment": { client, arguments in
            try await client.pauseDeployment(id: arguments.required("deployment_id"))
            return .nothing
        },
        "resume_deployment": { client, arguments in
            try await client.resumeDeployment(id: arguments.required("deployment_id"))
            return .nothing
        },
        "set_deployment_paused_state": { client, arguments in
            try await client.setDeploymentPaused(
                id: arguments.required("deployment_id"), arguments.required("paused"))
            return .nothing
        },
        "create_deployment_branch": { client, arguments in
            VectorResult(
                try await client.createDeploymentBranch(
                    id: arguments.required("deployment_id"), branch: arguments.required("branch"),
                    options: arguments.value("options"), overrides: arguments.value("overrides")))
        },
        "create_flow_run_from_deployment": { client, arguments in
            VectorResult(
                try await client.createFlowRun(
                    fromDeployment: arguments.required("deployment_id"),
                    parameters: arguments.value("parameters") ?? [:], context: arguments.value("context") ?? [:],
                    state: arguments.value("state"), name: arguments.value("name"),
                    tags: arguments.value("tags") ?? [], idempotencyKey: arguments.value("idempotency_key"),
                    parentTaskRunID: arguments.value("parent_task_run_id"),
                    workQueueName: arguments.value("work_queue_name"),
                    jobVariables: arguments.value("job_variables"), labels: arguments.value("labels") ?? [:]))
        },
        "get_scheduled_flow_runs_for_deployments": { client, arguments in
            // For Prefect's client, a limit of 0 is none.
            let limit = try arguments.value("limit", as: Int.self).flatMap { $0 == 0 ? nil : $0 }
            return VectorResult(
                try await client.getScheduledFlowRuns(
                    forDeployments: arguments.required("deployment_ids"),
                    scheduledBefore: arguments.value("scheduled_before"), limit: limit))
        },
        "delete_deployment": { client, arguments in
            try await client.deleteDeployment(id: arguments.required("deployment_id"))
            return .nothing
        },
    ]

    static let schedules: [String: VectorCall] = [
        "create_deployment_schedules": { client, arguments in
            let schedules = try (arguments.members["schedules"]?.arrayValue ?? []).map {
                try DeploymentScheduleCreate(givenSchedule: $0, arguments)
            }
            return VectorResult(
                try await client.createDeploymentSchedules(
                    deploymentID: arguments.required("deployment_id"), schedules))
        },
        "read_deployment_schedules": { client, arguments in
            VectorResult(
                try await client.readDeploymentSchedules(deploymentID: arguments.required("deployment_id")))
        },
        "update_deployment_schedule": { client, arguments in
            let changes: DeploymentScheduleUpdate = try arguments.record(
                "active", "schedule", "max_scheduled_runs", "parameters", "slug")
            try await client.updateDeploymentSchedule(
                deploymentID: arguments.required("deployment_id"), id: arguments.required("schedule_id"), changes)
            return .nothing
        },
        "delete_deployment_schedule": { client, arguments in
            try await client.deleteDeploymentSchedule(
                deploymentID: arguments.required("deployment_id"), id: arguments.required("schedule_id"))
            return .nothing
        },
    ]

    static let slas: [String: VectorCall] = [
        "apply_slas_for_deployment": { client, arguments in
            VectorResult(
                try await client.applySLAs(
                    forDeployment: arguments.required("deployment_id"), arguments.required("slas")))
        }
    ]
}

extension DeploymentScheduleCreate {
    /// A schedule as Prefect's client takes it: a model, or a pair of a schedule and whether it is active. A pair takes
    /// its other members from the arguments of the call.
    fileprivate init(givenSchedule json: JSONValue, _ arguments: VectorArguments) throws {
        guard case .array(let pair) = json, pair.count == 2 else {
            self = try DeploymentScheduleCreate(jsonValue: json)
            return
        }
        self.init(schedule: try Schedule(jsonValue: pair[0]))
        active = pair[1].boolValue
        maxScheduledRuns = try arguments.value("max_scheduled_runs")
        parameters = try arguments.value("parameters") ?? [:]
        slug = try arguments.value("slug")
    }
}
