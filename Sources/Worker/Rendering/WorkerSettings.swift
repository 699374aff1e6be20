/// Prefect's settings that are the worker's own: where it keeps its files, and how it works. They hold for the worker's host
/// and the worker's process, and for no job elsewhere.
public enum WorkerSettings {
    /// Whether a variable sets one of them.
    public static func areSet(by variable: String) -> Bool {
        namePlace(variable) || tune(variable)
    }

    /// Whether a variable names a place on the worker's host, which is the worker's user's.
    public static func namePlace(_ variable: String) -> Bool { places.contains(variable.uppercased()) }

    /// Whether a variable says how the worker works: its intervals, its probes, its log.
    public static func tune(_ variable: String) -> Bool { variable.uppercased().hasPrefix("PREFECT_WORKER_") }

    private static let places: Set<String> = ["PREFECT_HOME", "PREFECT_PROFILES_PATH"]
}
