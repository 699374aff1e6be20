internal import JobTemplates
internal import Logging
internal import OrderedCollections
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON

/// Keeps the worker's knowledge of its pool up to date, creates missing objects, and sends heartbeats. It uses the
/// worker channel while that is open, and requests otherwise.
struct PoolSynchronizer: Sendable {
    let live: ObservedValue<ServedPool>
    let workerType: String
    let defaultTemplate: BaseJobTemplate
    let services: WorkerServices
    let state: PoolState
    let peers: PeerWorkers
    let channel: PoolChannel
    /// Called when the pool can be served again, or is no longer paused.
    let onServable: @Sendable () -> Void
    /// Called with the reason when only the operator can resolve the failure of a pool that is not known yet.
    let onRefusal: @Sendable (String) -> Void
    /// Returns why runs of a pool with this template could not be started, in one line; `nil` when they could.
    let reasonNotToCreate: @Sendable (JSONValue) async -> String?

    private var served: ServedPool { live.value }
    private var api: APIClient { services.api }
    private var logger: Logger { services.logger }

    /// Synchronises until the worker has ended; the heartbeats continue during its shutdown.
    func run(afterFirst first: Bool) async {
        await withDiscardingTaskGroup { group in
            group.addTask { await channel.run(take) }
            await api.reachability.whileObserving({ [channel] in channel.endPauseAfterFailure() }) {
                await keepUp(afterFirst: first)
            }
        }
    }

    private func keepUp(afterFirst first: Bool) async {
        var failures = first ? 0 : 1
        while !Task.isCancelled {
            let backoff = Backoff(from: .seconds(2), to: .seconds(64)).pause(afterFailures: failures)
            let mean = failures > 0 ? min(served.heartbeatInterval, backoff) : served.heartbeatInterval
            let pause = Jitter.clampedPoisson(mean: mean.inSeconds, factor: 0.3, random: .random(in: 0..<1))
            await channel.waitForInvalidation(atMost: .seconds(pause), afterFailure: failures > 0)
            if Task.isCancelled { return }
            failures = await synchronize() ? 0 : failures + 1
        }
    }

    /// Reads the pool unless it has just been read, creates missing objects, and sends a heartbeat. Returns whether the
    /// pool can be served.
    func synchronize(justRead known: WorkPool? = nil) async -> Bool {
        let isFirst = state.pool == nil
        do {
            if channel.isPoolCurrent() {
                try await makeQueues(first: false)
            } else {
                guard let pool = try await readPool(known) else { return false }
                try await makeQueues(first: isFirst)
                // The heartbeat precedes the first poll. A worker that claims a run checks which online workers may
                // have claimed it too.
                try await sendHeartbeat()
                adopt(pool)
                channel.note(foundPool: pool.id.text)
            }
            guard state.hasServablePool else { return false }
            await peers.look()
            return true
        } catch let error as CreationError {
            report(error.cause, of: "Work pool '\(served.name)' cannot be created")
        } catch let error as APIError {
            report(error, of: "Work pool '\(served.name)' cannot be read")
        } catch {
            // The task was cancelled: the worker shuts down.
        }
        return false
    }

    /// Why a pool that does not exist was not created.
    private struct CreationError: Error {
        let cause: APIError
    }

    private func report(_ error: APIError, of failure: String) {
        let unavailableReason = "\(failure): \(error)"
        if state.pool == nil, error.isPermanent {
            // Only the operator can change the answer.
            onRefusal(unavailableReason)
        } else if state.unavailableReason != unavailableReason {
            // The log reports a failure once, and its end once.
            logger.warning("\(unavailableReason); the worker keeps trying")
        }
        state.setPool(nil, unavailableReason: unavailableReason)
    }

    /// Logs once why the pool is not served for now.
    private func report(_ unavailableReason: String, isMissing: Bool = false) {
        if state.unavailableReason != unavailableReason { logger.warning("\(unavailableReason)") }
        state.setPool(nil, unavailableReason: unavailableReason, isMissing: isMissing)
    }

    /// Applies the current state of the pool.
    private func adopt(_ pool: WorkPool) {
        let wasIdle = !state.hasServablePool || state.pool?.isPaused == true
        announceChanges(from: state.pool, to: pool)
        let unavailableReason = Self.reasonNotToServe(pool, as: workerType)
        if let unavailableReason, state.unavailableReason != unavailableReason { logger.error("\(unavailableReason)") }
        state.setPool(pool, unavailableReason: unavailableReason)
        if wasIdle, unavailableReason == nil, !pool.isPaused { onServable() }
    }

    /// Applies the pool as the worker channel reports it. A pool without a template receives one with the next request.
    private func take(_ pool: WorkPool) {
        var pool = pool
        if pool.baseJobTemplate.isEmpty { pool.baseJobTemplate = defaultTemplate.json.objectValue ?? [:] }
        adopt(pool)
    }

    /// Why a worker of this type cannot serve the pool, in one line; `nil` when it can.
    static func reasonNotToServe(_ pool: WorkPool, as workerType: String) -> String? {
        if pool.isPushPool || pool.isManagedPool {
            return "Work pool '\(pool.name)' has the type '\(pool.type)', whose runs Prefect Cloud "
                + "\(pool.isPushPool ? "submits" : "executes") itself; no worker is needed for it"
        }
        if pool.type == "prefect-agent" {
            return "Work pool '\(pool.name)' has the type 'prefect-agent', which is for agents; create a work pool of "
                + "the type '\(workerType)'"
        }
        guard pool.type == workerType else {
            return "Work pool '\(pool.name)' has the type '\(pool.type)', but this worker runs '\(workerType)'; start "
                + "it with --type \(pool.type) or name another pool"
        }
        return nil
    }

    // MARK: Pool

    private func readPool(_ known: WorkPool?) async throws -> WorkPool? {
        var pool: WorkPool
        do {
            if let known {
                pool = known
            } else {
                pool = try await api.readWorkPool(named: served.name, effort: .once)
            }
        } catch let error as APIError where error.isNotFound {
            guard served.createsPool else {
                report(
                    "Work pool '\(served.name)' does not exist; create it, or start the worker without "
                        + "--no-create-pool-if-not-found", isMissing: true)
                channel.note(foundPool: nil)
                return nil
            }
            guard let created = try await createPool() else { return nil }
            pool = created
        }
        if pool.baseJobTemplate.isEmpty {
            let template = defaultTemplate.json.objectValue ?? [:]
            try await api.updateWorkPool(named: served.name, WorkPoolUpdate { $0.baseJobTemplate = template })
            pool.baseJobTemplate = template
        }
        return pool
    }

    /// Creates the pool if its runs could be started. A pool that was deleted meanwhile receives its former template.
    private func createPool() async throws -> WorkPool? {
        // A run that is polled before the new pool is known would be labelled with the old pool's id.
        if state.pool != nil {
            state.setPool(
                nil, unavailableReason: "Work pool '\(served.name)' does not exist and is being created again")
        }
        let before = state.pool.flatMap { $0.type == workerType ? $0.baseJobTemplate : nil }
        let template = before ?? served.baseJobTemplate?.objectValue
        if let reason = await reasonNotToCreate(template.map { .object($0) } ?? defaultTemplate.json) {
            report("Work pool '\(served.name)' does not exist and is not created yet: \(reason)")
            return nil
        }
        do {
            let pool = try await api.createWorkPool(
                WorkPoolCreate(name: served.name) { new in
                    new.type = workerType
                    if let template { new.baseJobTemplate = template }
                })
            logger.info("Work pool '\(served.name)' created.")
            return pool
        } catch let error as APIError where error.isConflict {
            // Another worker created it first.
            return try await api.readWorkPool(named: served.name)
        } catch let error as APIError {
            throw CreationError(cause: error)
        }
    }

    private func announceChanges(from before: WorkPool?, to pool: WorkPool) {
        if state.hasFailedToRead, Self.reasonNotToServe(pool, as: workerType) == nil {
            logger.info("Work pool '\(pool.name)' can be served now")
        }
        if pool.isPaused, before?.isPaused != true {
            logger.warning("Work pool '\(pool.name)' is paused: no flow runs are started until it is resumed")
        } else if !pool.isPaused, before?.isPaused == true {
            logger.info("Work pool '\(pool.name)' is no longer paused")
        }
    }

    // MARK: Queues

    /// Creates the requested queues that do not exist, and logs when every queue is paused.
    private func makeQueues(first: Bool) async throws {
        guard first || state.hasLostQueues else { return }
        guard !served.queues.isEmpty else {
            state.setLostQueues(false)
            return await lookForPausedQueues()
        }
        var paused: [String] = []
        for name in served.queues {
            do {
                let queue = try await api.readWorkQueue(named: name, inWorkPool: served.name)
                if queue.isPaused { paused.append(name) }
            } catch let error as APIError where error.isNotFound {
                do {
                    _ = try await api.createWorkQueue(WorkQueueCreate(name: name), inWorkPool: served.name)
                    logger.info("Work queue '\(name)' of work pool '\(served.name)' created.")
                } catch let error as APIError where error.isConflict {
                    // Another worker created it first.
                }
            }
        }
        state.setLostQueues(false)
        if paused.count == served.queues.count { warn(ofPausedQueues: paused) }
    }

    /// Checks whether all queues are paused, for a pool of which all queues are served. A start does not depend on it.
    private func lookForPausedQueues() async {
        do {
            let queues = try await api.readWorkQueues(inWorkPool: served.name, effort: .once)
            if !queues.isEmpty, queues.allSatisfy(\.isPaused) { warn(ofPausedQueues: queues.map(\.name)) }
        } catch {
            logger.debug("The queues of work pool '\(served.name)' could not be read: \(error)")
        }
    }

    private func warn(ofPausedQueues names: [String]) {
        let shown = names.prefix(10).joined(separator: ", ") + (names.count > 10 ? ", …" : "")
        logger.warning("All work queues served are paused (\(shown)): no flow runs are started until one is resumed")
    }

    // MARK: Heartbeat

    /// Sends a heartbeat. Throws when a temporary failure prevented it and the pool must not be polled without it.
    private func sendHeartbeat() async throws {
        let requestsID = api.configuration.isCloud && state.workerID == nil
        do {
            do {
                try await sendHeartbeat(requestingID: requestsID)
            } catch let error as APIError where error.isUnprocessable && requestsID {
                try await sendHeartbeat(requestingID: false)
            }
        } catch let error as APIError where error.isTransient && state.pool == nil && !served.runsOnce {
            // With --run-once there is one poll, even if other workers cannot see this one.
            throw error
        } catch {
            logger.debug("A heartbeat failed: \(error)")
        }
    }

    private func sendHeartbeat(requestingID: Bool) async throws {
        // There are no integrations to report, but Cloud checks that the member exists.
        let id = try await api.sendWorkerHeartbeat(
            workPool: served.name, worker: served.workerName, interval: .seconds(served.heartbeatSeconds),
            returnsID: requestingID, metadata: requestingID ? WorkerMetadata(integrations: []) : nil, effort: .once)
        if let id { state.setWorkerID(id.text) }
    }
}
