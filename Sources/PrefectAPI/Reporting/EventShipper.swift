internal import HTTPTransport
internal import JSON
public import Logging

/// Sends events to the API: over its WebSocket `/events/in` at once, or in batches by `POST /events`.
///
/// The socket is opened for the first event and kept. What comes while there is none, or was sent over one and is not
/// confirmed when that is lost or hangs, goes by `POST`, and the socket is tried again later. Either way a batch waits
/// here until it is known to have arrived, in its order; what arrives twice counts once, by the events' ids.
///
/// Through an outage, however long, at most 10,000 events or 8 MiB wait beside the batch on its way; then the oldest are
/// dropped, as ``BatchShipper`` says.
public struct EventShipper: Sendable {
    private let shipper: BatchShipper<Event>
    private let stream: EventStream?

    /// A shipper; ``run()`` does the work.
    ///
    /// - Parameters:
    ///   - interval: How long a batch waits for company when it goes by `POST`.
    ///   - backlogBytes: How many bytes may wait.
    ///   - backlogItems: How many events may wait.
    ///   - logger: Receives one line about each loss.
    public init(
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
        let limits = BatchShipper<Event>.Limits(
            interval: interval, batchBytes: 1 << 20, batchItems: 200, backlogBytes: backlogBytes,
            backlogItems: backlogItems)
        self.stream = stream
        shipper = BatchShipper(
            name: "events", limits: limits, isImmediate: { stream?.isOpen ?? false },
            reachability: api.reachability, logger: logger
        ) { events in
            if let stream, await stream.deliver(events) { return .delivered }
            return await api.deliver(APIRequest(.post, ["events"], body: .array(events.map(\.json))))
        }
        stream?.onOpen { [weak shipper] in shipper?.reconsider() }
    }

    /// Queues an event; never waits.
    public func add(_ event: Event) {
        // Resources and payload hold what flows and blocks were named: nothing but their text tells their size.
        shipper.add(event, bytes: event.json.serializedBytes().count)
        stream?.want()
    }

    /// Delivers events until the shipper is closed and all are delivered, or the task is cancelled.
    public func run() async {
        await withTaskGroup(of: Void.self) { group in
            if let stream { group.addTask { await stream.run() } }
            await shipper.run()
            group.cancelAll()
        }
    }

    /// Whether events go over the WebSocket at the moment.
    public var isStreaming: Bool { stream?.isOpen ?? false }

    /// Lets ``run()`` deliver what waits and return.
    public func close() {
        stream?.prepareToEnd()
        shipper.close()
    }

    /// How many events wait.
    public var backlog: Int { shipper.backlog }

    /// How many bytes wait, as ``BatchShipper/Limits/backlogBytes`` counts them.
    public var backlogBytes: Int { shipper.backlogBytes }
}
