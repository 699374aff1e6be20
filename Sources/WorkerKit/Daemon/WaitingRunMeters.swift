internal import CoreMetrics
internal import Synchronization

/// The meters of waiting runs. A number that is not known has no meter, so that nothing scales on an old one.
final class WaitingRunMeters: Sendable {
    private struct Series: Hashable {
        let pool: String
        let queue: String?
        let isLate: Bool
    }

    private let factory: any MetricsFactory
    private let shown = Mutex<[Series: Meter]>([:])

    init(factory: any MetricsFactory) { self.factory = factory }

    /// Shows these numbers and no others.
    func show(_ counts: [WaitingRuns.Count]) {
        shown.withLock { shown in
            var outdated = shown
            for count in counts {
                let series = Series(pool: count.pool, queue: count.queue, isLate: count.isLate)
                outdated[series] = nil
                let meter = shown[series] ?? make(series)
                shown[series] = meter
                meter.set(count.runs)
            }
            for (series, meter) in outdated {
                meter.destroy()
                shown[series] = nil
            }
        }
    }

    private func make(_ series: Series) -> Meter {
        var labels = [("pool", series.pool), ("late", series.isLate ? "true" : "false")]
        if let queue = series.queue { labels.append(("queue", queue)) }
        return Meter(label: "prefect_worker_waiting_runs", dimensions: labels, factory: factory)
    }
}
