internal import Logging
internal import PrefectAPI
internal import Synchronization

/// Something that has happened to a flow run of a pool.
public enum RunNews: Sendable, Hashable {
    /// It waits for its time, which may have come.
    case scheduled(id: String, queue: String?)
    /// It is to be cancelled.
    case cancelling(id: String)

    /// A flow run is to be started again, or late: it waits like one that is new.
    private static let waiting = [EventSelection.scheduled, "prefect.flow-run.Late", "prefect.flow-run.Resuming"]

    /// The names of the events that bring news.
    static let eventNames = waiting + [EventSelection.cancelling]

    init?(_ event: ReceivedEvent) {
        guard let id = event.flowRunID else { return nil }
        switch event.name {
        case EventSelection.cancelling: self = .cancelling(id: id)
        case _ where Self.waiting.contains(event.name): self = .scheduled(id: id, queue: event.workQueue?.name)
        default: return nil
        }
    }
}

/// What happens to the flow runs of all pools, as it happens: one subscription to the API's events for the whole worker.
///
/// News are hints. They end a wait before its time, and what is done then is what would have been done later; so nothing
/// is lost when they do not come.
public final class EventFeed: Sendable {
    /// The subscription's connection.
    public let connection: Connection
    private let api: APIClient
    private let subscription = Mutex<EventSubscription?>(nil)

    init(api: APIClient, logger: Logger, redact: @escaping @Sendable (String) -> String) {
        self.api = api
        connection = Connection("The feed of new and cancelled flow runs", logger: logger, redact: redact)
    }

    /// Hands each event to its pool, until the task is cancelled. A change of the pools needs another subscription.
    func run(for served: Live<[any PoolService]>) async {
        while !Task.isCancelled {
            let pools = served.value
            let names = pools.map(\.served.name)
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.subscribe(for: pools) }
                await served.wait { $0.map(\.served.name) != names }
                group.cancelAll()
            }
        }
    }

    private func subscribe(for pools: [any PoolService]) async {
        let subscription = EventSubscription(
            api: api, selection: EventSelection(names: RunNews.eventNames, pools: .named(pools.map(\.served.name))),
            onState: { [connection] in connection.set(ConnectionState($0)) },
            onConnect: { for pool in pools { pool.catchUp() } })
        self.subscription.withLock { $0 = subscription }
        await subscription.run { event in
            guard let news = RunNews(event), let name = event.workPool?.name else { return }
            for pool in pools where pool.served.name == name { pool.take(news) }
        }
    }

    /// Tries again at once, when it waits: the credentials were changed, say.
    func retryNow() { subscription.withLock { $0 }?.retryNow() }
}
