internal import HTTPTransport
internal import JSON
internal import Logging
internal import PrefectAPI

/// Asks the API for runs that are due, as many as there are free slots, and hands each of them out once.
struct PollLoop: Sendable {
    let live: Live<ServedPool>
    let services: WorkerServices
    let state: PoolState
    let slots: SlotLimiter
    let registry: RunRegistry
    let workerType: String
    /// Takes a run on.
    let hand: @Sendable (DueRun) -> Void

    private var served: ServedPool { live.value }

    /// How many runs of an answer that cannot be read are named in the log; the others are counted.
    private static let namedProblems = 10

    /// Polls until the worker is on its way out.
    func run() async {
        var pacer = PollPacer(interval: served.pollInterval)
        var size = PollSize()
        defer { state.endPolling() }
        while services.shutdown.isServing, !Task.isCancelled {
            state.tick()
            await waitForFreeSlot()
            guard services.shutdown.isServing else { return }
            let outcome = await poll(&size)
            state.tick()
            pacer.interval = served.pollInterval
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
        var size = PollSize()
        _ = await poll(&size)
    }

    private func waitForFreeSlot() async {
        guard slots.free == 0 else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await slots.waitForFreeSlot() }
            group.addTask { await services.shutdown.wait(for: .draining) }
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

    private func poll(_ size: inout PollSize) async -> PollPacer.Outcome {
        guard state.isServable else {
            // Without a pool there is nothing to poll, the synchroniser says when there is one; and a run that could not be
            // started is better left to a worker that can.
            return .answered(mayHaveMore: false)
        }
        let wanted = size.wanted(free: slots.free, unclaimed: registry.unclaimedCount)
        registry.beginPoll()
        do {
            let due = try await services.api.scheduledFlowRuns(
                inPool: served.name, queues: served.queues,
                scheduledBefore: Timestamp.now.adding(seconds: served.prefetch.inSeconds),
                limit: wanted == PollSize.serverLimit ? nil : wanted)
            tell(of: due.unreadable)
            if state.hasPollTrouble { services.logger.info("Work pool '\(served.name)' can be polled again") }
            state.setPollTrouble(nil)
            if size.isFirstExcess(of: due.runs.count, over: wanted) {
                services.logger.warning(
                    """
                    The API returned \(due.runs.count) flow runs of work pool '\(served.name)' where \(wanted) were asked \
                    for; the worker takes no more than that at a time
                    """)
            }
            let taken = await take(due.runs, atMost: wanted)
            if taken > 0, due.runs.count >= wanted { size.grow() }
            return .answered(mayHaveMore: taken > 0 && due.runs.count >= wanted)
        } catch let error as APIError {
            if case .noAnswer(let cause) = error.kind, cause.kind == .tooLarge, let cap = size.shrink() {
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

    private func tell(of problems: [String]) {
        for problem in problems.prefix(Self.namedProblems) {
            services.logger.error("A flow run of work pool '\(served.name)' cannot be read and is left: \(problem)")
        }
        let others = problems.count - Self.namedProblems
        if others > 0 {
            services.logger.error("\(others) more flow runs of work pool '\(served.name)' cannot be read and are left")
        }
    }

    /// Hands out the runs that are new, in the API's order, as far as there are slots and they were asked for.
    private func take(_ runs: [FlowRun], atMost wanted: Int) async -> Int {
        var taken: [DueRun] = []
        for run in runs where !registry.contains(run.id) {
            guard taken.count < wanted, services.shutdown.isServing else { break }
            guard let slot = slots.take() else { break }
            // A slot that is not needed is given back when it is let go.
            guard let held = registry.register(run) else { continue }
            taken.append(DueRun(held: held, flowRun: run, slot: slot))
        }
        // A claim that nobody remembers would keep its run from everybody; so all are on the disk before the first.
        let (api, pool) = (services.api.configuration.url, served.name)
        await services.ledger.record(
            taken.map { $0.held.entry(api: api, pool: pool, workerType: workerType) }, durably: true)
        for run in taken { hand(run) }
        return taken.count
    }
}
