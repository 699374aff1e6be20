/// Prefect's settings for the worker itself: the places of its files, and its way of working. They apply to the
/// worker's host and the worker's process, and to no job elsewhere.
package enum WorkerSettings {
    /// Whether a variable sets one of these settings.
    package static func areSet(by variable: String) -> Bool {
        namePlace(variable) || tune(variable)
    }

    /// Whether a variable names a place on the worker's host, which belongs to the worker's user.
    package static func namePlace(_ variable: String) -> Bool { places.contains(variable.uppercased()) }

    /// Whether a variable controls the worker's way of working: its intervals, its probes, its log.
    package static func tune(_ variable: String) -> Bool { variable.uppercased().hasPrefix("PREFECT_WORKER_") }

    private static let places: Set<String> = ["PREFECT_HOME", "PREFECT_PROFILES_PATH"]
}
