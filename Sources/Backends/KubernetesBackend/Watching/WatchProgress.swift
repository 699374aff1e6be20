internal import PrefectConcurrency
internal import PrefectREST

/// The next step in watching one kind of object in one namespace. A list comes first, then watches from the last
/// version, and another list when that version is forgotten. A value without I/O.
struct WatchProgress: Sendable, Hashable {
    /// A step to carry out.
    enum Step: Sendable, Hashable {
        case list
        case watch(from: String)
        case pause(Duration)
        /// Nothing may be listed, so for this time each job is requested instead.
        case doWithoutList(Duration)
    }

    /// An event in the course of watching.
    enum Event: Sendable, Hashable {
        case listed(version: String)
        /// An event arrived over the watch.
        case progressed(version: String)
        /// The watch ended as expected.
        case ended
        case failed(KubernetesError)
        /// A pause is over.
        case rested
    }

    /// The next step.
    private(set) var step = Step.list
    /// The number of failures since the last success.
    private(set) var failures = 0
    /// Whether watches are refused, so that lists have to suffice.
    private(set) var isPolling = false
    private var version: String?
    private var afterPause = Step.list

    /// The pause between two lists where watches are refused.
    static let pollInterval = Duration.seconds(10)
    /// The pause before a refused list is retried; the worker may have been given a role by then.
    static let refusalInterval = Duration.seconds(60)

    /// Handles an event; `jitter` is drawn from 0..<1.
    mutating func handle(_ event: Event, jitter: Double = .random(in: 0..<1)) {
        switch event {
        case .listed(let version):
            failures = 0
            self.version = version
            if isPolling { rest(Self.pollInterval, then: .list) } else { step = .watch(from: version) }
        case .progressed(let version):
            failures = 0
            self.version = version
        case .ended:
            step = version.map { .watch(from: $0) } ?? .list
        case .rested:
            step = afterPause
        case .failed(let error):
            fail(error, jitter: jitter)
        }
    }

    private mutating func fail(_ error: KubernetesError, jitter: Double) {
        let wasListing = step == .list
        failures += 1
        // An expired version is normal. A version that fails repeatedly may come from an earlier instance of the
        // cluster.
        if error.kind == .expired || !wasListing && failures > 3 { version = nil }
        if error.kind == .expired, failures == 1 { return step = .list }
        if error.kind == .forbidden {
            if wasListing {
                step = .doWithoutList(Self.refusalInterval)
                afterPause = .list
                return
            }
            isPolling = true
            return rest(Self.pollInterval, then: .list)
        }
        let pause = Backoff(from: .seconds(1), to: .seconds(30)).pause(afterFailures: failures) * (0.5 + jitter)
        let asked = error.retryAfter ?? .zero
        rest(max(pause, asked), then: version.map { .watch(from: $0) } ?? .list)
    }

    private mutating func rest(_ duration: Duration, then next: Step) {
        step = .pause(duration)
        afterPause = next
    }
}
