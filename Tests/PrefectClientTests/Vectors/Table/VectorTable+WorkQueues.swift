import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON

extension VectorTable {
    static let workQueues: [String: VectorCall] = [
        "create_work_queue": { client, arguments in
            VectorResult(
                try await client.createWorkQueue(
                    arguments.record("name", "description", "is_paused", "concurrency_limit", "priority"),
                    inWorkPool: arguments.value("work_pool_name")))
        },
        "read_work_queue": { client, arguments in
            VectorResult(try await client.readWorkQueue(id: arguments.required("id")))
        },
        "read_work_queue_by_name": { client, arguments in
            VectorResult(
                try await client.readWorkQueue(
                    named: arguments.required("name"), inWorkPool: arguments.value("work_pool_name")))
        },
        "read_work_queues": { client, arguments in
            VectorResult(
                try await client.readWorkQueues(
                    inWorkPool: arguments.value("work_pool_name"), workQueues: arguments.value("work_queue_filter"),
                    limit: arguments.value("limit"), offset: arguments.value("offset")))
        },
        "match_work_queues": { client, arguments in
            VectorResult(
                try await client.matchWorkQueues(
                    prefixes: arguments.required("prefixes"), inWorkPool: arguments.value("work_pool_name")))
        },
        "update_work_queue": { client, arguments in
            // A member that is given as null is sent as null.
            var changes = arguments.members
            changes["id"] = nil
            try await client.updateWorkQueue(
                id: arguments.required("id"), WorkQueueUpdate(jsonValue: .object(changes)))
            return .nothing
        },
        "get_runs_in_work_queue": { client, arguments in
            VectorResult(
                try await client.getRunsInWorkQueue(
                    id: arguments.required("id"), limit: arguments.value("limit") ?? 10,
                    scheduledBefore: arguments.value("scheduled_before")))
        },
        "read_work_queue_status": { client, arguments in
            VectorResult(try await client.readWorkQueueStatus(id: arguments.required("id")))
        },
        "read_work_queue_concurrency_status": { client, arguments in
            VectorResult(
                try await client.readWorkQueueConcurrencyStatus(
                    id: arguments.required("id"), page: arguments.value("page") ?? 1,
                    limit: arguments.value("limit")))
        },
        "delete_work_queue_by_id": { client, arguments in
            try await client.deleteWorkQueue(id: arguments.required("id"))
            return .nothing
        },
    ]
}
