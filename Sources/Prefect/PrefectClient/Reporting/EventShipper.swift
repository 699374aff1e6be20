internal import HTTPTransport
package import Logging
internal import PrefectConcurrency
internal import PrefectJSON

/// Sends events to the API: at once over its WebSocket `/events/in`, or in batches with `POST /events`.
///
/// The first event opens the socket, which then stays open. While no socket is open, events are sent with `POST`, and
/// the socket is retried later. The same applies to unconfirmed events of a socket that is lost or hangs. In both cases
/// a batch waits here, in its order, until its arrival is certain. An event that arrives twice counts once, by its id.
///
/// During an outage of any length, at most 10,000 events or 8 MiB wait beside the batch in flight. Beyond that, the
/// oldest are dropped, as described in ``BatchShipper``.
package struct EventShipper: Sendable {
    private let shipper: BatchShipper<EventCreate>
    private let stream: EventStream?

    /// Creates a shipper; ``run()`` does the work.
    ///
    /// - Parameters:
    ///   - interval: The time that a batch waits for further events before it is sent with `POST`.
    ///   - backlogBytes: The maximum number of waiting bytes.
    ///   - backlogItems: The maximum number of waiting events.
    ///   - logger: Receives one line about each loss.
    package init(
        api: APIClient, interval: Duration = .seconds(2), backlogBytes: Int = 8 << 20, backlogItems: Int = 10_000,
        logger: Logger
    ) {
        self.init(
            api: api, stream: EventStream(api: api), interval: interval, backlogBytes: backlogBytes,
            backlogItems: backlogItems, logger: logger)
    }

    init(
        api: APIClient, stream: EventStream?, interval: Duration, backlogBytes: Int = 8 << 20,
        backlogItems: Int = 10_000, logger: Logger
    ) {
        let limits = BatchShipper<EventCreate>.Limits(
            interval: interval, batchBytes: 1 << 20, batchItems: 200, backlogBytes: backlogBytes,
            backlogItems: backlogItems)
        self.stream = stream
        shipper = BatchShipper(
            name: "events", limits: limits, isImmediate: { stream?.isOpen ?? false },
            reachability: api.reachability, logger: logger
        ) { events in
            if let stream, await stream.deliver(events) { return .delivered }
            return await api.deliver(APIRequest(.post, ["events"], body: .array(events.map(\.jsonValue))))
        }
        stream?.onOpen { [weak shipper] in shipper?.reconsider() }
    }

    /// Queues an event; never waits.
    package func add(_ event: EventCreate) {
        // Resources and payload contain the names of flows and blocks, so only their text shows the size of an event.
        shipper.add(event, bytes: event.jsonValue.serializedBytes().count)
        stream?.want()
    }

    /// Delivers events until the shipper is closed and all are delivered, or the task is cancelled.
    package func run() async {
        guard let stream else { return await shipper.run() }
        await raceOf({ await shipper.run() }, { await stream.run() })
    }

    /// Whether events are currently sent over the WebSocket.
    package var isStreaming: Bool { stream?.isOpen ?? false }

    /// Makes ``run()`` deliver the waiting events and return.
    package func close() {
        stream?.prepareToEnd()
        shipper.close()
    }

    /// The number of waiting events.
    package var backlog: Int { shipper.backlog }

    /// The number of waiting bytes, as ``BatchShipper/Limits/backlogBytes`` counts them.
    package var backlogBytes: Int { shipper.backlogBytes }
}
