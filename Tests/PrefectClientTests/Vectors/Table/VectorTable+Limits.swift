import PrefectClient

extension VectorTable {
    static let tagLimits: [String: VectorCall] = [
        "create_concurrency_limit": { client, arguments in
            VectorResult(
                try await client.createConcurrencyLimit(
                    tag: arguments.required("tag"), limit: arguments.required("concurrency_limit")))
        },
        "read_concurrency_limit_by_tag": { client, arguments in
            VectorResult(try await client.readConcurrencyLimit(tag: arguments.required("tag")))
        },
        "read_concurrency_limits": { client, arguments in
            VectorResult(
                try await client.readConcurrencyLimits(
                    limit: arguments.required("limit"), offset: arguments.required("offset")))
        },
        "increment_v1_concurrency_slots": { client, arguments in
            VectorResult(
                try await client.incrementV1ConcurrencySlots(
                    names: arguments.required("names"), taskRunID: arguments.required("task_run_id")))
        },
        "decrement_v1_concurrency_slots": { client, arguments in
            VectorResult(
                try await client.decrementV1ConcurrencySlots(
                    names: arguments.required("names"), taskRunID: arguments.required("task_run_id"),
                    occupancy: arguments.required("occupancy_seconds")))
        },
        "reset_concurrency_limit_by_tag": { client, arguments in
            try await client.resetConcurrencyLimit(
                tag: arguments.required("tag"), slots: arguments.value("slot_override"))
            return .nothing
        },
        "delete_concurrency_limit_by_tag": { client, arguments in
            try await client.deleteConcurrencyLimit(tag: arguments.required("tag"))
            return .nothing
        },
    ]

    static let globalLimits: [String: VectorCall] = [
        "create_global_concurrency_limit": { client, arguments in
            VectorResult(try await client.createGlobalConcurrencyLimit(arguments.required("concurrency_limit")))
        },
        "read_global_concurrency_limit_by_name": { client, arguments in
            VectorResult(try await client.readGlobalConcurrencyLimit(named: arguments.required("name")))
        },
        "read_global_concurrency_limits": { client, arguments in
            VectorResult(
                try await client.readGlobalConcurrencyLimits(
                    limit: arguments.value("limit") ?? 10, offset: arguments.value("offset") ?? 0))
        },
        "update_global_concurrency_limit": { client, arguments in
            try await client.updateGlobalConcurrencyLimit(
                named: arguments.required("name"), arguments.required("concurrency_limit"))
            return .nothing
        },
        "increment_concurrency_slots": { client, arguments in
            VectorResult(
                try await client.incrementConcurrencySlots(
                    names: arguments.required("names"), slots: arguments.required("slots"),
                    mode: arguments.required("mode")))
        },
        "release_concurrency_slots": { client, arguments in
            VectorResult(
                try await client.releaseConcurrencySlots(
                    names: arguments.required("names"), slots: arguments.required("slots"),
                    occupancy: arguments.required("occupancy_seconds")))
        },
        "increment_concurrency_slots_with_lease": { client, arguments in
            VectorResult(
                try await client.incrementConcurrencySlotsWithLease(
                    names: arguments.required("names"), slots: arguments.required("slots"),
                    mode: arguments.required("mode"), leaseDuration: arguments.required("lease_duration"),
                    holder: arguments.value("holder")))
        },
        "renew_concurrency_lease": { client, arguments in
            try await client.renewConcurrencyLease(
                id: arguments.required("lease_id"), for: arguments.required("lease_duration"))
            return .nothing
        },
        "release_concurrency_slots_with_lease": { client, arguments in
            try await client.releaseConcurrencySlotsWithLease(id: arguments.required("lease_id"))
            return .nothing
        },
        "upsert_global_concurrency_limit_by_name": { client, arguments in
            try await client.upsertGlobalConcurrencyLimit(
                named: arguments.required("name"), limit: arguments.required("limit"),
                slotDecayPerSecond: arguments.value("slot_decay_per_second"))
            return .nothing
        },
        "delete_global_concurrency_limit_by_name": { client, arguments in
            try await client.deleteGlobalConcurrencyLimit(named: arguments.required("name"))
            return .nothing
        },
    ]
}
