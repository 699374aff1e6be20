internal import PrefectClient
internal import PrefectConcurrency
internal import Synchronization

extension EventFeed {
    /// Passes each event to its pool, until the task is cancelled. A change of the pools requires a new subscription.
    func run(for served: ObservedValue<[any PoolService]>) async {
        while !Task.isCancelled {
            let pools = served.value
            let names = pools.map(\.served.name)
            await raceOf(
                { await self.subscribe(for: pools) }, { await served.wait { $0.map(\.served.name) != names } })
        }
    }

    private func subscribe(for pools: [any PoolService]) async {
        let subscription = EventSubscription(
            api: api,
            selection: EventSelection(names: RunNotification.eventNames, pools: .named(pools.map(\.served.name))),
            onState: { [connection] in connection.set($0.map { ConnectionOutage($0) }) },
            onConnect: { for pool in pools { pool.catchUp() } })
        self.subscription.withLock { $0 = subscription }
        await subscription.run { event in
            guard let notification = RunNotification(event), let name = event.workPool?.name else { return }
            for pool in pools where pool.served.name == name { pool.take(notification) }
        }
    }
}
