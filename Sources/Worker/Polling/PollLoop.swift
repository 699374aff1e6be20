internal import HTTPTransport
internal import Logging
internal import PrefectAPI

/// Asks the API for runs that are due, as many as there are free slots, and hands each of them out once.
struct PollLoop: Sendable {
    let served: ServedPool
    let services: WorkerServices
    let state: PoolState
    let slots: SlotLimiter
    let registry: RunRegistry
    let contest: Contest
    /// Takes a run on.
    let hand: @Sendable (HeldRun, Slot) -> Void

    /// The number of runs that the API returns at most when it is not told a number.
    private static let serverLimit = 200

    /// Polls until the worker is on its way out.
    func run() async {
        var pacer = PollPacer(interval: served.pollInterval)
        // A server that cannot answer for many runs at a time is asked for fewer.
        var cap = Self.serverLimit
        defer { state.endPolling() }
        while services.shutdown.isServing, !Task.isCancelled {
            state.tick()
            await waitForFreeSlot()
            guard services.shutdown.isServing else { return }
            let outcome = await poll(cap: &cap)
            state.tick()
            let pause = pacer.pause(after: outcome, random: .random(in: 0..<1))
            await wait(pause)
        }
    }

    /// Waits for the next poll; a loop that waits as it was told to makes progress.
    private func wait(_ pause: Duration) async {
        let end = ContinuousClock.now + pause
        while services.shutdown.isServing, !Task.isCancelled {
            let rest = end - ContinuousClock.now
            guard rest > .zero else { return }
            await services.shutdown.sleep(for: min(rest, .seconds(30)))
            state.tick()
        }
    }

    /// Polls one time.
    func once() async {
        defer { state.endPolling() }
        var cap = Self.serverLimit
        _ = await poll(cap: &cap)
    }

    private func waitForFreeSlot() async {
        guard slots.free == 0 else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await slots.waitForFreeSlot() }
            group.addTask { await services.shutdown.wait(for: .stopping) }
            group.addTask {
                // A worker whose slots are all taken makes progress by waiting.
                while !Task.isCancelled {
                    state.tick()
                    try? await Task.sleep(for: .seconds(5))
                }
            }
            await group.next()
            group.cancelAll()
        }
    }

    private func poll(cap: inout Int) async -> PollPacer.Outcome {
        guard state.isServable else {
            // Without a pool there is nothing to poll; the synchroniser says when there is one.
            return .answered(mayHaveMore: false)
        }
        let free = slots.free
        // Runs that are being claimed at the moment may come back first; they must not hide the others.
        let wanted = free.map { min($0 + registry.unclaimedCount, cap) } ?? cap
        registry.beginPoll()
        do {
            let due = try await services.api.scheduledFlowRuns(
                inPool: served.name, queues: served.queues,
                scheduledBefore: Timestamp.now.adding(seconds: served.prefetch.inSeconds),
                limit: wanted == Self.serverLimit ? nil : wanted)
            for problem in due.unreadable {
                services.logger.error("A flow run of work pool '\(served.name)' cannot be read and is left: \(problem)")
            }
            if state.hasPollTrouble { services.logger.info("Work pool '\(served.name)' can be polled again") }
            state.setPollTrouble(nil)
            if due.runs.count > 1 { await contest.lookUnlessOn() }
            let taken = take(due.runs)
            if taken > 0, due.runs.count >= wanted { cap = min(cap * 2, Self.serverLimit) }
            return .answered(mayHaveMore: taken > 0 && due.runs.count >= wanted)
        } catch let error as APIError {
            if case .noAnswer(let cause) = error.kind, cause.kind == .tooLarge, cap > 1 {
                cap = max(1, cap / 4)
                services.logger.warning(
                    "The flow runs of work pool '\(served.name)' are too large together, asking for \(cap) at a time")
                return .answered(mayHaveMore: true)
            }
            return failed(error)
        } catch {
            return .answered(mayHaveMore: false)
        }
    }

    private func failed(_ error: APIError) -> PollPacer.Outcome {
        if error.isNotFound {
            // The pool or a queue is gone; the synchroniser finds out which and makes it anew where it may.
            state.setLostQueues(true)
        }
        let trouble = "Work pool '\(served.name)' cannot be polled: \(error)"
        if !state.hasPollTrouble { services.logger.warning("\(trouble); the worker keeps trying") }
        state.setPollTrouble(trouble)
        return .failed(retryAfter: error.retryAfter)
    }

    /// Hands out the runs that are new, in the API's order, as far as there are slots.
    private func take(_ runs: [FlowRun]) -> Int {
        var taken = 0
        for run in runs where !registry.contains(run.id) {
            guard services.shutdown.isServing else { break }
            guard let slot = slots.take() else { break }
            // A slot that is not needed is given back when it is let go.
            guard let held = registry.register(run) else { continue }
            taken += 1
            hand(held, slot)
        }
        return taken
    }
}
