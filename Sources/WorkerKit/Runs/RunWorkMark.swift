/// Notes in the ledger that work on a run is under way. So the worker does not try a run again after the process has
/// died twice during such work.
struct RunWorkMark: Sendable {
    let active: ActiveRun
    let services: WorkerServices
    /// The run's current entry for the ledger.
    let entry: @Sendable () -> LedgerEntry

    /// Performs some work. The note is written before. It is removed when the work has ended in any way except by the
    /// process's death. It is also removed when the work takes so long that a later death has other causes.
    ///
    /// A run during whose work a process has already died waits for its turn. So the next death identifies one such run
    /// as its cause.
    func during<Result>(_ work: RunWork, _ body: () async throws -> Result) async rethrows -> Result {
        guard services.ledger.contains(active.id) else { return try await body() }
        let turn = await turn()
        defer { turn?.release() }
        active.begin(work)
        await services.ledger.record([entry()])
        async let _: Void = acquit(turn)
        do {
            let result = try await body()
            await end()
            return result
        } catch {
            await end()
            throw error
        }
    }

    private func turn() async -> Slot? {
        guard active.deaths > 0 else { return nil }
        while !Task.isCancelled {
            if let slot = services.suspects.take() { return slot }
            await services.suspects.waitForFreeSlot()
        }
        return nil
    }

    /// Removes the note when the work takes long, and ends the run's turn.
    private func acquit(_ turn: Slot?) async {
        guard (try? await Task.sleep(for: services.workPatience)) != nil else { return }
        await end()
        turn?.release()
    }

    private func end() async {
        if active.endWork() { await services.ledger.record([entry()]) }
    }
}
