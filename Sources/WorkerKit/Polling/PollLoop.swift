internal import FoundationEssentials
internal import HTTPTransport
internal import Logging
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON

/// Polls the API for due runs, at most as many as there are free slots, and passes each of them on once.
struct PollLoop: Sendable {
    let live: ObservedValue<ServedPool>
    let services: WorkerServices
    let state: PoolState
    let slots: SlotLimiter
    let registry: RunRegistry
    let metrics: PoolMetrics
    let hints: PollHints
    let workerType: String
    /// States whether the worker still takes runs of this pool.
    let taking: ShutdownSignal
    /// Receives each run that the loop takes.
    let start: @Sendable (DueRun) -> Void

    private var served: ServedPool { live.value }
    /// The latest due time of the runs that a poll requests.
    private var horizon: Timestamp { .now.adding(seconds: served.prefetch.inSeconds) }

    /// The maximum number of unreadable runs in one answer that the log names; it only counts the others.
    private static let namedProblems = 10

    /// Polls until the worker stops taking runs of the pool.
    func run() async {
        var pacer = PollPacer(interval: served.pollInterval)
        var size = PollSize()
        defer { state.endPolling() }
        await services.api.reachability.whileObserving({ [hints] in hints.update { $0.ask() } }) {
            await keepPolling(&pacer, &size)
        }
    }

    private func keepPolling(_ pacer: inout PollPacer, _ size: inout PollSize) async {
        while taking.isServing, !Task.isCancelled {
            state.tick()
            await waitForFreeSlot()
            await waitWhilePaused()
            guard taking.isServing else { return }
            let announced = hints.update { $0.beginPoll(now: .now) }
            let outcome = await poll(&size)
            await follow(announced, outcome)
            state.tick()
            pacer.interval = served.pollInterval
            await wait(pacer.pause(after: outcome.forPacer, random: .random(in: 0..<1)), after: outcome)
        }
    }

    /// The outcome of a poll.
    private enum Outcome {
        /// The API named `runs`, and the loop took `taken` of them. `mayHaveMore` states that more runs may be due than
        /// the poll requested.
        case answered(runs: Set<String> = [], taken: Int = 0, mayHaveMore: Bool)
        /// The API did not answer, or answered with an error. `retryAfter` is the pause that it requested.
        case failed(retryAfter: Duration?)

        var forPacer: PollPacer.Outcome {
            switch self {
            case .answered(_, _, let mayHaveMore): .answered(mayHaveMore: mayHaveMore)
            case .failed(let retryAfter): .failed(retryAfter: retryAfter)
            }
        }

        var hasFailed: Bool {
            if case .failed = self { true } else { false }
        }

        /// The pause that the API requested; zero without a request.
        var askedPause: Duration {
            if case .failed(let retryAfter?) = self { retryAfter } else { .zero }
        }
    }

    /// Handles runs that were announced before a poll and that the poll did not return: they may be due later.
    private func follow(_ announced: Set<String>, _ outcome: Outcome) async {
        guard case .answered(let runs, let taken, _) = outcome else {
            return hints.update { agenda in for run in announced { agenda.announce(run) } }
        }
        hints.update { $0.endPoll(bringingRuns: taken > 0, now: .now) }
        let missing = announced.subtracting(runs).filter { !registry.contains($0) }
        guard !missing.isEmpty, slots.free != 0 else { return }
        do {
            let waiting = try await taking.whileServing {
                try await services.api.readFlowRuns(
                    among: missing.compactMap { UUID(uuidString: $0) }, inStates: [.scheduled], effort: .once
                ).map { KnownRun($0) }
            }
            guard let waiting else { return }
            let (now, instant) = (Timestamp.now, ContinuousClock.now)
            let moments = waiting.compactMap(\.expectedStartTime)
                .map { .pause(seconds: $0.seconds(since: now)) - served.prefetch }
                .filter { $0 > .zero }
            hints.update { $0.expect(at: moments.map { instant + $0 }) }
        } catch {
            services.logger.debug("The start times of \(missing.count) flow runs could not be read: \(error)")
        }
    }

    /// Waits for the next poll. A wait of the planned length counts as progress of the loop.
    private func wait(_ pause: Duration, after outcome: Outcome) async {
        let start = ContinuousClock.now
        let (end, earliest) = (start + pause, start + min(outcome.askedPause, pause))
        while taking.isServing, !Task.isCancelled {
            guard end > .now else { return }
            if earliest <= .now, hints.isPollDue(whileFailing: outcome.hasFailed) { return }
            await raceOf(
                {
                    let next = min(end, .now + .seconds(30))
                    if earliest > .now {
                        try? await Task.sleep(until: min(next, earliest), clock: .continuous)
                    } else {
                        await hints.wait(until: next, whileFailing: outcome.hasFailed)
                    }
                }, { await taking.wait(for: .draining) })
            state.tick()
        }
    }

    /// Polls once.
    func once() async {
        defer { state.endPolling() }
        var size = PollSize()
        await waitWhilePaused()
        // An answer that is too large yields no runs, and the next poll requests fewer.
        while case .answered(_, taken: 0, mayHaveMore: true) = await poll(&size) {}
    }

    private func waitForFreeSlot() async {
        guard slots.free == 0 else { return }
        await whileTicking { await slots.waitForFreeSlot() }
    }

    private func waitWhilePaused() async {
        guard services.claiming.isPaused else { return }
        state.noteIdleness { $0.noteUnknown() }
        await whileTicking { await services.claiming.waitWhilePaused() }
    }

    /// Waits for something that counts as progress, while the worker takes runs.
    private func whileTicking(_ wait: @escaping @Sendable () async -> Void) async {
        await raceOf(
            wait, { await taking.wait(for: .draining) },
            {
                while !Task.isCancelled {
                    state.tick()
                    try? await Task.sleep(for: .seconds(5))
                }
            })
    }

    private func poll(_ size: inout PollSize) async -> Outcome {
        guard state.isServable else {
            state.noteIdleness { $0.noteUnknown() }
            // Without a pool there is nothing to poll; the synchroniser reports when a pool exists. A run that this
            // worker cannot start should go to a worker that can.
            return .answered(mayHaveMore: false)
        }
        let wanted = size.wanted(free: slots.free, unclaimed: registry.unclaimedCount)
        registry.beginPoll()
        let start = ContinuousClock.now
        do {
            let answer = try await taking.whileServing {
                try await services.span("worker.poll") {
                    try await services.api.poll(
                        workPool: served.name, queues: served.queues, scheduledBefore: horizon,
                        limit: wanted == PollSize.serverLimit ? nil : wanted)
                }
            }
            // A worker that shuts down takes no runs, even if the API would still return some.
            guard let due = answer else { return .answered(mayHaveMore: false) }
            metrics.polled(in: .now - start)
            let isIdle = due.runs.isEmpty && due.unreadable.isEmpty && registry.count == 0
            state.noteIdleness { isIdle ? $0.noteIdle(at: start) : $0.noteBusy() }
            warn(of: due.unreadable)
            noteAnswer()
            if size.isFirstExcess(of: due.runs.count, over: wanted) {
                services.logger.warning(
                    """
                    The API returned \(due.runs.count) flow runs of work pool '\(served.name)' for a limit of \
                    \(wanted); the worker claims no more than that at a time
                    """)
            }
            let taken = await take(due.runs.map { KnownRun($0) }, atMost: wanted)
            if taken > 0, due.runs.count >= wanted { size.grow() }
            return .answered(
                runs: Set(due.runs.map(\.id.text)), taken: taken, mayHaveMore: taken > 0 && due.runs.count >= wanted)
        } catch let error as APIError {
            guard error.isTooLarge else { return failed(error) }
            if let cap = size.shrink(from: wanted) {
                services.logger.warning(
                    """
                    The flow runs of work pool '\(served.name)' are too large for one answer, requesting \(cap) at a \
                    time
                    """)
                return .answered(mayHaveMore: true)
            }
            return await takeUnreadable() ?? failed(error)
        } catch {
            return .answered(mayHaveMore: false)
        }
    }

    /// Takes the first due run when it is too large to read, so that it does not hide the runs behind it. `nil` when
    /// the API does not identify this run.
    private func takeUnreadable() async -> Outcome? {
        let found = try? await taking.whileServing { () -> KnownRun? in
            let id = try await services.api.firstScheduledFlowRunID(
                inWorkPool: served.name, queues: served.queues, scheduledBefore: horizon)
            guard let id else { return nil }
            do {
                // Another run may be the first by now.
                return KnownRun(try await services.api.readFlowRun(id: UUID(id: id), effort: .once))
            } catch let error as APIError where error.isTooLarge {
                return KnownRun(id: id, name: id, unreadable: error.description)
            }
        }
        guard let run = found ?? nil else { return nil }
        state.noteIdleness { $0.noteBusy() }
        noteAnswer()
        let taken = await take([run], atMost: 1)
        return .answered(runs: [run.id], taken: taken, mayHaveMore: taken > 0)
    }

    private func noteAnswer() {
        if state.hasPollFailure { services.logger.info("Work pool '\(served.name)' can be polled again") }
        state.setPollFailure(nil)
    }

    private func failed(_ error: APIError) -> Outcome {
        state.noteIdleness { $0.noteUnknown() }
        if error.isNotFound {
            // The pool or a queue no longer exists. The synchroniser finds out which, and creates it again where it
            // may.
            state.setLostQueues(true)
        }
        let unavailableReason = "Work pool '\(served.name)' cannot be polled: \(error)"
        if !state.hasPollFailure { services.logger.warning("\(unavailableReason); the worker keeps trying") }
        state.setPollFailure(unavailableReason)
        return .failed(retryAfter: error.retryAfter)
    }

    private func warn(of problems: [String]) {
        for problem in problems.prefix(Self.namedProblems) {
            services.logger.error("A flow run of work pool '\(served.name)' cannot be read and is skipped: \(problem)")
        }
        let others = problems.count - Self.namedProblems
        if others > 0 {
            services.logger.error(
                "\(others) more flow runs of work pool '\(served.name)' cannot be read and are skipped")
        }
    }

    /// Passes on the new runs in the API's order, at most `wanted` and at most one per free slot. Returns their number.
    private func take(_ runs: [KnownRun], atMost wanted: Int) async -> Int {
        var taken: [DueRun] = []
        for run in runs where !registry.contains(run.id) {
            guard taken.count < wanted, taking.isServing, services.claiming.state == .active else { break }
            guard let slot = slots.take() else { break }
            // The `deinit` of a slot that is not needed releases it.
            guard let active = registry.register(run) else { continue }
            metrics.pickedUp(dueAt: active.due)
            taken.append(DueRun(active: active, details: RunDetails(run), slot: slot))
        }
        // A claim without a ledger entry would block its run for every worker. So all entries are on the disk before
        // the first claim.
        let (api, pool) = (services.api.configuration.shownURL, served.name)
        await services.ledger.record(
            taken.map { $0.active.entry(api: api, pool: pool, workerType: workerType) }, durably: true)
        for run in taken { start(run) }
        return taken.count
    }
}
