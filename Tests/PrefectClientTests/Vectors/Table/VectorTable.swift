/// The calls of all members, by their Python names. Each group adds a file with its own dictionary.
enum VectorTable {
    static let calls: [String: VectorCall] = [
        flows, flowRuns, events, admin, workPools, workQueues, variables, deployments, schedules, taskRuns, slas, logs,
        artifacts, blockTypes, blockSchemas, blockDocuments, tagLimits, globalLimits, automations, cloud,
    ].reduce(into: [:]) { all, group in
        all.merge(group) { first, _ in first }
    }

    /// Members without a counterpart: the event loop of Python, and a cache of its process.
    static let membersOfPython: Set<String> = ["loop", "raise_for_api_version_mismatch_once"]
}
