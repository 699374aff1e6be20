import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON

extension VectorTable {
    static let workPools: [String: VectorCall] = [
        "create_work_pool": { client, arguments in
            VectorResult(
                try await client.createWorkPool(
                    arguments.required("work_pool"), replacing: arguments.value("overwrite") ?? false))
        },
        "read_work_pool": { client, arguments in
            VectorResult(try await client.readWorkPool(named: arguments.required("work_pool_name")))
        },
        "read_work_pools": { client, arguments in
            VectorResult(
                try await client.readWorkPools(
                    workPools: arguments.value("work_pool_filter"), limit: arguments.value("limit"),
                    offset: arguments.value("offset") ?? 0))
        },
        "update_work_pool": { client, arguments in
            try await client.updateWorkPool(
                named: arguments.required("work_pool_name"), arguments.required("work_pool"))
            return .nothing
        },
        "read_work_pool_concurrency_status": { client, arguments in
            VectorResult(
                try await client.readWorkPoolConcurrencyStatus(
                    named: arguments.required("work_pool_name"), page: arguments.value("page") ?? 1,
                    limit: arguments.value("limit"), flowRunLimit: arguments.value("flow_run_limit") ?? 10))
        },
        "get_scheduled_flow_runs_for_work_pool": { client, arguments in
            VectorResult(
                try await client.getScheduledFlowRuns(
                    forWorkPool: arguments.required("work_pool_name"), queues: arguments.value("work_queue_names"),
                    scheduledBefore: arguments.value("scheduled_before")))
        },
        "delete_work_pool": { client, arguments in
            try await client.deleteWorkPool(named: arguments.required("work_pool_name"))
            return .nothing
        },
        "send_worker_heartbeat": { client, arguments in
            VectorResult(
                try await client.sendWorkerHeartbeat(
                    workPool: arguments.required("work_pool_name"), worker: arguments.required("worker_name"),
                    interval: arguments.value("heartbeat_interval_seconds"),
                    returnsID: arguments.value("get_worker_id") ?? false, metadata: arguments.value("worker_metadata")))
        },
        "read_workers_for_work_pool": { client, arguments in
            VectorResult(
                try await client.readWorkers(
                    forWorkPool: arguments.required("work_pool_name"), workers: arguments.value("worker_filter"),
                    limit: arguments.value("limit"), offset: arguments.value("offset")))
        },
    ]
}
