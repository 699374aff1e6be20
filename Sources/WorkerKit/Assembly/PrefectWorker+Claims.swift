internal import Logging

extension PrefectWorker {
    /// Claims no more flow runs until ``resume()``. Runs in flight continue, with their heartbeats and cancellations, and
    /// the worker stays online. A pause ends with the process.
    ///
    /// - Throws: ``WorkerRefusal`` if the worker is ending.
    public func pause() throws {
        try enter(.paused)
        logger("prefect.worker").info(
            "Paused: claiming no flow runs until the worker is resumed; \(Self.inFlight(runsInFlight)) continue")
    }

    /// Claims flow runs again after ``pause()``.
    ///
    /// - Throws: ``WorkerRefusal`` if the worker is ending.
    public func resume() throws {
        try enter(.active)
        logger("prefect.worker").info("Resumed: claiming flow runs again")
    }

    /// Claims no more flow runs and ends when the last run in flight has ended. Unlike ``shutDown()``, it waits for all
    /// runs, also for those that would continue without the worker. A ``shutDown()`` that follows has its usual effect.
    ///
    /// - Parameter limit: The time after which the worker stops the runs that would end with it. `nil` for no limit.
    /// - Throws: ``WorkerRefusal`` if the worker is already ending.
    public func drain(within limit: Duration? = nil) throws {
        try enter(.draining(limit: limit))
        logger("prefect.worker").info(
            "Draining: claiming no more flow runs, exiting when all have ended; \(Self.inFlight(runsInFlight))")
        if runsInFlight == 0 { shutDown() }
    }

    private func enter(_ state: ClaimControl.State) throws {
        guard shutdown.isServing, claiming.enter(state) else {
            throw WorkerRefusal("The worker is ending, and claims no more flow runs")
        }
    }

    private static func inFlight(_ count: Int) -> String {
        count == 1 ? "1 flow run in flight" : "\(count) flow runs in flight"
    }
}
