/// The calls of all members, by their Python names. Each group adds a file with its own dictionary.
enum VectorTable {
    static let calls: [String: VectorCall] = [
        flows, flowRuns, events, admin, logs, artifacts, blockTypes, blockSchemas, blockDocuments, tagLimits,
        globalLimits, automations, cloud,
    ].reduce(into: [:]) { all, group in
        all.merge(group) { first, _ in first }
    }

    /// The groups of vectors whose members are not all in the table yet. Their missing members are no failures.
    static let missingGroups: Set<String> = [
        "work_pools", "workers", "work_queues", "deployments", "schedules", "task_runs",
        "variables", "slas", "admin",
    ]

    /// Members without a counterpart: the event loop of Python, and a cache of its process.
    static let membersOfPython: Set<String> = ["loop", "raise_for_api_version_mismatch_once"]
}
