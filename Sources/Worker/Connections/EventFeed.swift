internal import Logging
internal import PrefectAPI
internal import Synchronization

/// A notification about a flow run of a pool.
public enum RunNews: Sendable, Hashable {
    /// The run waits for its start time, which may have been reached.
    case scheduled(id: String, queue: String?)
    /// The run is to be cancelled.
    case cancelling(id: String)

    /// A flow run that is to be started again or is late waits like a new one.
    private static let waiting = [EventSelection.scheduled, "prefect.flow-run.Late", "prefect.flow-run.Resuming"]

    /// The names of the events that cause notifications.
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

/// The events of the flow runs of all pools, as they happen: one subscription to the API's events for the whole worker.
///
/// Notifications are hints. They only end a wait early, and without them the worker does the same work later. So a
/// missing notification loses nothing.
public final class EventFeed: Sendable {
    /// The subscription's connection.
    public let connection: Connection
    private let api: APIClient
    private let subscription = Mutex<EventSubscription?>(nil)

    init(api: APIClient, logger: Logger, redact: @escaping @Sendable (String) -> String) {
        self.api = api
        connection = Connection("The feed of new and cancelled flow runs", logger: logger, redact: redact)
    }

    /// Passes each event to its pool, until the task is cancelled. A change of the pools requires a new subscription.
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

    /// Retries at once while the subscription waits, for example after a change of the credentials.
    func retryNow() { subscription.withLock { $0 }?.retryNow() }
}
