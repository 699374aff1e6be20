/// Whether flow runs of process pools start as copies of a process that has already imported Prefect's flow engine.
public enum WarmEngines: String, Sendable, Hashable, CaseIterable {
    /// Every run starts with an interpreter of its own.
    case off
    /// The worker keeps such a process while runs come. A run for which a copy is not possible, or not yet, starts with
    /// an interpreter of its own.
    case auto
    /// Like ``auto``. In addition the worker makes such a process when it starts, keeps it without runs, and warns if
    /// the interpreter cannot have one.
    case on
}
