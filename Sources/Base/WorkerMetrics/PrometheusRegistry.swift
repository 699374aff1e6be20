package import CoreMetrics
internal import Synchronization

/// Stores the values of swift-metrics' counters, meters, recorders and timers, and renders them in Prometheus's text
/// format.
///
/// Timers and aggregating recorders become histograms with fixed buckets, with times in seconds. Meters and other
/// recorders become gauges. The same name and labels always give the same series, for every caller.
package final class PrometheusRegistry: MetricsFactory {
    /// The media type of ``render()``.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// The largest number of series that a metric may have. Labels are chosen so that there are few. A mistake in that,
    /// or an API that returns every possible status code, must not fill the memory. Further series are not counted.
    static let seriesLimit = 500

    private struct Family {
        let kind: MetricValues.Kind
        var series: [[MetricValues.Label]: any Series] = [:]
    }

    private let descriptions: [String: MetricDescription]
    private let families = Mutex<[String: Family]>([:])

    /// A registry of metrics with these descriptions. Other metrics get their name as the help text, and the default
    /// buckets.
    package init(_ descriptions: [MetricDescription] = MetricDescription.worker) {
        self.descriptions = Dictionary(descriptions.map { ($0.name, $0) }) { $1 }
    }

    /// All metrics and those of the process, in Prometheus's text format.
    package func render() -> String {
        values.map(TextFormat.text).joined() + ProcessFigures.text()
    }

    /// All metrics except those of the process, in the order of their names and labels.
    package var values: [MetricValues] {
        families.withLock { $0 }.filter { !$0.value.series.isEmpty }.sorted { $0.key < $1.key }.map { name, family in
            let series = family.series.map { (text: TextFormat.labels($0), labels: $0, series: $1) }
                .sorted { $0.text < $1.text }
            return MetricValues(
                name: name, help: descriptions[name]?.help ?? name, kind: family.kind,
                series: series.map { MetricValues.Series(labels: $0.labels, value: $0.series.current) })
        }
    }

    // MARK: MetricsFactory

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(.counter, label, dimensions) { _ in CounterSeries() } ?? NOOPMetricsHandler.instance
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(.gauge, label, dimensions) { _ in GaugeSeries() } ?? NOOPMetricsHandler.instance
    }

    package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate { return histogram(label, dimensions) ?? NOOPMetricsHandler.instance }
        return series(.gauge, label, dimensions) { _ in GaugeSeries() } ?? NOOPMetricsHandler.instance
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions) ?? NOOPMetricsHandler.instance
    }

    package func destroyCounter(_ handler: any CounterHandler) { remove(handler) }

    package func destroyMeter(_ handler: any MeterHandler) { remove(handler) }

    package func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }

    package func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

    private func histogram(_ label: String, _ dimensions: [(String, String)]) -> HistogramSeries? {
        series(.histogram, label, dimensions) { name in
            HistogramSeries(bounds: self.descriptions[name]?.buckets ?? MetricDescription.requestBuckets)
        }
    }

    /// The series of a name and labels; `nil` when the name belongs to another kind of metric, or has too many series.
    private func series<Result: Series>(
        _ kind: MetricValues.Kind, _ label: String, _ dimensions: [(String, String)], make: (String) -> Result
    ) -> Result? {
        let name = TextFormat.name(label)
        let labels = TextFormat.labels(of: dimensions)
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
