/// The calls of all members, by their Python names. Each group adds a file with its own dictionary.
enum VectorTable {
    static let calls: [String: VectorCall] = [
        flows, flowRuns, events, admin, workPools, workQueues, variables, deployments, schedules, taskRuns, slas,
    ].reduce(into: [:]) { all, group in
        all.merge(group) { first, _ in first }
    }

    /// The groups of vectors whose members are not all in the table yet. Their missing members are no failures.
    static let missingGroups: Set<String> = [
        "logs", "artifacts", "block_types", "block_schemas", "block_documents", "concurrency_limits_v1",
        "concurrency_limits_v2", "automations", "cloud_client",
    ]

    /// Members without a counterpart: the event loop of Python, and a cache of its process.
    static let membersOfPython: Set<String> = ["loop", "raise_for_api_version_mismatch_once"]
}
