public import CoreMetrics
internal import Synchronization

/// Keeps what swift-metrics' counters, meters, recorders and timers are told, and renders it in Prometheus's text format.
///
/// Timers, and recorders that aggregate, become histograms with fixed buckets, times in seconds; meters, and recorders
/// that do not aggregate, become gauges. The same name and labels are always the same series, whoever asks for it.
public final class PrometheusRegistry: MetricsFactory {
    /// The media type of ``render()``.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// How many series a metric may have. Labels are chosen so that there are few; a mistake in that, or an API that
    /// answers with all numbers that there are, must not fill the memory. What comes after that is not counted.
    static let seriesLimit = 500

    private struct Family {
        let kind: TextFormat.Kind
        /// By what stands between the braces.
        var series: [String: any Series] = [:]
    }

    private let descriptions: [String: MetricDescription]
    private let families = Mutex<[String: Family]>([:])

    /// A registry of metrics with these descriptions; others have their name for a help text, and the usual buckets.
    public init(_ descriptions: [MetricDescription] = MetricDescription.worker) {
        self.descriptions = Dictionary(descriptions.map { ($0.name, $0) }) { $1 }
    }

    /// All metrics and those of the process, as Prometheus reads them.
    public func render() -> String {
        let families = families.withLock { $0 }
        let own = families.filter { !$0.value.series.isEmpty }.sorted { $0.key < $1.key }.map { name, family in
            let series = family.series.sorted { $0.key < $1.key }
            return TextFormat.header(name, family.kind, help: descriptions[name]?.help ?? name)
                + series.map { $1.lines(name: name, labels: $0) }.joined()
        }
        return own.joined() + ProcessFigures.text()
    }

    // MARK: MetricsFactory

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(.counter, label, dimensions) { _ in CounterSeries() } ?? NOOPMetricsHandler.instance
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(.gauge, label, dimensions) { _ in GaugeSeries() } ?? NOOPMetricsHandler.instance
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate { return histogram(label, dimensions) ?? NOOPMetricsHandler.instance }
        return series(.gauge, label, dimensions) { _ in GaugeSeries() } ?? NOOPMetricsHandler.instance
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions) ?? NOOPMetricsHandler.instance
    }

    public func destroyCounter(_ handler: any CounterHandler) { remove(handler) }

    public func destroyMeter(_ handler: any MeterHandler) { remove(handler) }

    public func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }

    public func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

    private func histogram(_ label: String, _ dimensions: [(String, String)]) -> HistogramSeries? {
        series(.histogram, label, dimensions) { name in
            HistogramSeries(bounds: self.descriptions[name]?.buckets ?? MetricDescription.requestBuckets)
        }
    }

    /// The series of a name and labels; `nil` where the name is that of another kind of metric, or has too many series.
    private func series<Result: Series>(
        _ kind: TextFormat.Kind, _ label: String, _ dimensions: [(String, String)], make: (String) -> Result
    ) -> Result? {
        let name = TextFormat.name(label)
        let labels = TextFormat.labels(dimensions)
        return families.withLock { families in
            var family = families[name] ?? Family(kind: kind)
            guard family.kind == kind else { return nil }
            if let existing = family.series[labels] { return existing as? Result }
            guard family.series.count < Self.seriesLimit else { return nil }
            let series = make(name)
            family.series[labels] = series
            families[name] = family
            return series
        }
    }

    private func remove(_ handler: AnyObject) {
        families.withLock { families in
            for (name, family) in families {
                guard let labels = family.series.first(where: { $0.value === handler })?.key else { continue }
                families[name]?.series[labels] = nil
                return
            }
        }
    }
}
