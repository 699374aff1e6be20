internal import PrefectClient
internal import PrefectJSON
internal import Synchronization

/// The promptness of the worker in the last hour: how late it claimed runs, and how long their starts took.
final class RecentRuns: Sendable {
    private struct State {
        var lateness = MinuteHistory()
        var startLatency = MinuteHistory()
    }

    private let state = Mutex(State())

    /// Notes a run that was claimed just now, and its scheduled time.
    func claimed(dueAt due: Timestamp?) {
        guard let due else { return }
        state.withLock { $0.lateness.record(.pause(seconds: Timestamp.now.seconds(since: due))) }
    }

    /// Notes a run that has started, and the time since its claim.
    func started(after duration: Duration) { state.withLock { $0.startLatency.record(duration) } }

    /// The history for `/status`.
    var json: JSONValue {
        let (lateness, startLatency) = state.withLock { ($0.lateness, $0.startLatency) }
        return ["lateness": lateness.json(), "start_latency": startLatency.json()]
    }
}
