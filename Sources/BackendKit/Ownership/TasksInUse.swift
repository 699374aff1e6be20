internal import Synchronization

/// The infrastructure that runs of this process use, and that no sweep may remove.
public final class TasksInUse: Sendable {
    private struct State {
        var tasks: Set<String> = []
        var claims: Set<String> = []
        var abandoned: Set<String> = []
        var started: Set<String> = []
        var flowRunIDs: Set<String> = []
    }

    private let state = Mutex(State())

    /// Nothing in use.
    public init() {}

    /// Protects what is created for a claim until ``endCreation(for:isAbandoned:)``.
    public func beginCreation(for claimID: String) {
        state.withLock { state in
            state.claims.insert(claimID)
            state.abandoned.remove(claimID)
        }
    }

    /// Ends the protection of what was created for a claim.
    ///
    /// - Parameter isAbandoned: Whether the creation was cancelled, so that this process does not continue it.
    public func endCreation(for claimID: String, isAbandoned: Bool = false) {
        state.withLock { state in
            state.claims.remove(claimID)
            if isAbandoned { state.abandoned.insert(claimID) }
        }
    }

    /// The claims for which this process creates infrastructure.
    public var claimsUnderCreation: Set<String> { state.withLock { $0.claims } }

    /// Whether the creation for a claim was cancelled.
    func isAbandoned(_ claimID: String) -> Bool { state.withLock { $0.abandoned.contains(claimID) } }

    /// Forgets that the creation for a claim was cancelled, because nothing of it exists.
    func forgetAbandoned(_ claimID: String) { state.withLock { _ = $0.abandoned.remove(claimID) } }

    /// Protects a task until ``remove(_:)``.
    ///
    /// - Parameter isNew: Whether this process has started the task.
    public func add(_ task: String, isNew: Bool = false) {
        state.withLock { state in
            state.tasks.insert(task)
            if isNew { state.started.insert(task) }
        }
    }

    /// Ends the protection of a task.
    public func remove(_ task: String) {
        state.withLock { state in
            state.tasks.remove(task)
            state.started.remove(task)
        }
    }

    /// Protects a task, and returns whether this process has started it. Only the first call for a task returns `true`.
    public func addReturningIsNew(_ task: String) -> Bool {
        state.withLock { state in
            state.tasks.insert(task)
            return state.started.remove(task) != nil
        }
    }

    /// Protects what belongs to these runs of an earlier process. Their recovery decides about them later.
    public func protect(flowRunIDs: Set<String>) { state.withLock { $0.flowRunIDs = flowRunIDs } }

    /// The protected tasks.
    public var tasks: Set<String> { state.withLock { $0.tasks } }

    /// Whether a task is protected by itself, by its claim or by its run.
    public func contains(_ task: String, claimID: String? = nil, flowRunID: String? = nil) -> Bool {
        state.withLock { state in
            state.tasks.contains(task) || claimID.map { state.claims.contains($0) } ?? false
                || flowRunID.map { state.flowRunIDs.contains($0) } ?? false
        }
    }
}

/// The search for infrastructure that no run uses any more.
public enum OrphanSweep {
    /// The time between two searches.
    public static let interval = Duration.seconds(600)
    /// For how long infrastructure that was created and never started may exist before it counts as orphaned.
    public static let grace = Duration.seconds(600)

    /// Searches at regular intervals until the task is cancelled.
    public static func run(_ sweep: () async -> Void) async {
        while (try? await Task.sleep(for: interval)) != nil { await sweep() }
    }
}
