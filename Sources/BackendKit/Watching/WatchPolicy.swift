internal import PrefectConcurrency

/// How often a watch of tasks describes them, and which evidence it requires.
public struct WatchPolicy: Sendable {
    /// The greatest number of tasks that one description covers.
    public var batchSize: Int
    /// The greatest number of descriptions at the same time.
    public var concurrency: Int
    /// The least time between the requests of two descriptions.
    public var spacing: Duration
    /// How many descriptions in a row must not know a task before it counts as gone. More than one is needed where a
    /// service does not know a new task at once.
    public var absences: Int
    /// The time until the next description of a task that a description did not know.
    public var absencePause: Duration
    /// The time between two descriptions of a task, by the time for which it has been watched; `nil` where events
    /// report every change.
    public var interval: @Sendable (_ age: Duration) -> Duration?

    let retries = Backoff(from: .seconds(1), to: .seconds(30))

    /// A policy. The defaults are those of a service that describes all tasks in one request and reports every change.
    public init(
        batchSize: Int = .max, concurrency: Int = 1, spacing: Duration = .zero, absences: Int = 1,
        absencePause: Duration = .seconds(5),
        interval: @escaping @Sendable (_ age: Duration) -> Duration? = { _ in nil }
    ) {
        self.batchSize = max(1, batchSize)
        self.concurrency = max(1, concurrency)
        self.spacing = spacing
        self.absences = max(1, absences)
        self.absencePause = absencePause
        self.interval = interval
    }

    /// The intervals for a service that is only polled: short for a young task, long for one that has run for long.
    @Sendable
    public static func polling(_ age: Duration) -> Duration? {
        switch age {
        case ..<Duration.seconds(60): .seconds(5)
        case ..<Duration.seconds(600): .seconds(10)
        default: .seconds(30)
        }
    }
}
