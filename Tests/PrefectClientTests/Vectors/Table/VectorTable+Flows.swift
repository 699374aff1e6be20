import PrefectClient

extension VectorTable {
    static let flows: [String: VectorCall] = [
        "create_flow": { client, arguments in
            // Prefect's client sends only the name of the flow.
            let flow: FlowCreate = try arguments.required("flow")
            return VectorResult(try await client.createFlow(named: flow.name))
        },
        "create_flow_from_name": { client, arguments in
            VectorResult(try await client.createFlow(named: arguments.required("flow_name")))
        },
        "read_flow": { client, arguments in
            VectorResult(try await client.readFlow(id: arguments.required("flow_id")))
        },
        "read_flow_by_name": { client, arguments in
            VectorResult(try await client.readFlow(named: arguments.required("flow_name")))
        },
        "read_flows": { client, arguments in
            VectorResult(
                try await client.readFlows(
                    flows: arguments.value("flow_filter"), flowRuns: arguments.value("flow_run_filter"),
                    taskRuns: arguments.value("task_run_filter"), deployments: arguments.value("deployment_filter"),
                    workPools: arguments.value("work_pool_filter"), sort: arguments.value("sort"),
                    limit: arguments.value("limit"), offset: arguments.value("offset") ?? 0))
        },
        "delete_flow": { client, arguments in
            try await client.deleteFlow(id: arguments.required("flow_id"))
            return .nothing
        },
    ]
}
