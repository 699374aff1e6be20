/// What comes next in watching one kind of object in one namespace: a list to begin with, then watches from where the last
/// one was, and a list again when that is forgotten. A value without I/O.
struct WatchProgress: Sendable, Hashable {
    /// What is to be done.
    enum Step: Sendable, Hashable {
        case list
        case watch(from: String)
        case pause(Duration)
        /// Nothing can be listed: those who follow something have to ask for it.
        case leaveToFollowers
    }

    /// What happened.
    enum Event: Sendable, Hashable {
        case listed(version: String)
        /// Something came over the watch.
        case progressed(version: String)
        /// The watch ended as it was to.
        case ended
        case failed(KubernetesError)
        /// A pause is over.
        case rested
    }

    /// What comes next.
    private(set) var step = Step.list
    /// How often something failed since it last went well.
    private(set) var failures = 0
    /// Whether watches are refused, so that lists have to do.
    private(set) var isPolling = false
    private var version: String?
    private var afterPause = Step.list

    /// How long to wait between two lists where watches are refused.
    static let pollInterval = Duration.seconds(10)
    /// How long to wait before a refused list is tried again: somebody may have been given a role.
    static let refusalInterval = Duration.seconds(60)

    /// Takes in what happened; `jitter` is drawn from 0..<1.
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
        // A version that is forgotten is no trouble; one that leads nowhere again and again may be one of another life.
        if error.kind == .expired || !wasListing && failures > 3 { version = nil }
        if error.kind == .expired, failures == 1 { return step = .list }
        if error.kind == .forbidden {
            if wasListing {
                step = .leaveToFollowers
                return
            }
            isPolling = true
            return rest(Self.pollInterval, then: .list)
        }
        let seconds = min(Double(1 << min(failures - 1, 5)), 30) * (0.5 + jitter)
        let asked = error.retryAfter ?? .zero
        rest(max(.seconds(seconds), asked), then: version.map { .watch(from: $0) } ?? .list)
    }

    /// Notes that the followers know that they are on their own.
    mutating func leftToFollowers() { rest(Self.refusalInterval, then: .list) }

    private mutating func rest(_ duration: Duration, then next: Step) {
        step = .pause(duration)
        afterPause = next
    }
}
