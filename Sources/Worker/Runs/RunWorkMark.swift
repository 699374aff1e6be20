/// Notes in the ledger that work on a run is under way, so that a run of which the process dies twice is not tried again.
struct RunWorkMark: Sendable {
    let held: HeldRun
    let services: WorkerServices
    /// The run's row for the ledger as it is now.
    let entry: @Sendable () -> LedgerEntry

    /// Does some work. The note is made before, and taken back when the work has ended in any way but the process's death, or
    /// has gone on for so long that a death after that has other causes.
    ///
    /// Runs at which a process has died already do theirs one after the other, so that the next death blames one of them.
    func during<Result>(_ work: RunWork, _ body: () async throws -> Result) async rethrows -> Result {
        guard services.ledger.contains(held.id) else { return try await body() }
        let turn = await turn()
        defer { turn?.release() }
        held.begin(work)
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
        guard held.deaths > 0 else { return nil }
        while !Task.isCancelled {
            if let slot = services.suspects.take() { return slot }
            await services.suspects.waitForFreeSlot()
        }
        return nil
    }

    /// Takes the note back where the work takes long.
    private func acquit(_ turn: Slot?) async {
        guard (try? await Task.sleep(for: services.workPatience)) != nil else { return }
        await end()
        turn?.release()
    }

    private func end() async {
        if held.endWork() { await services.ledger.record([entry()]) }
    }
}
