internal import Logging
internal import PrefectClient
internal import Synchronization

/// A notification about a flow run of a pool.
package enum RunNotification: Sendable, Hashable {
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
        switch event.event {
        case EventSelection.cancelling: self = .cancelling(id: id)
        case _ where Self.waiting.contains(event.event): self = .scheduled(id: id, queue: event.workQueue?.name)
        default: return nil
        }
    }
}

/// The events of the flow runs of all pools, as they happen: one subscription to the API's events for the whole worker.
///
/// Notifications are hints. They only end a wait early, and without them the worker does the same work later. So a
/// missing notification loses nothing.
package final class EventFeed: Sendable {
    /// The subscription's connection.
    package let connection: Connection
    let api: APIClient
    let subscription = Mutex<EventSubscription?>(nil)

    init(api: APIClient, logger: Logger, redact: @escaping @Sendable (String) -> String) {
        self.api = api
        connection = Connection("The feed of new and cancelled flow runs", logger: logger, redact: redact)
    }

    /// Retries at once while the subscription waits, for example after a change of the credentials.
    func retryNow() { subscription.withLock { $0 }?.retryNow() }
}
