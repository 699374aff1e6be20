import CoreMetrics
import Glibc
import Testing

@testable import WorkerMetrics

@Suite("Metrics in Prometheus's text format")
struct RegistryTests {
    private let registry = PrometheusRegistry([
        MetricDescription("requests_total", "Requests\nwith a \\ in their help."),
        MetricDescription("size_bytes", "Sizes.", buckets: [10, 100]),
        MetricDescription("duration_seconds", "Times.", buckets: [0.5, 2]),
    ])

    /// The rendered lines of a metric.
    private func lines(_ name: String) -> [String] {
        registry.render().split(separator: "\n").map(String.init).filter { line in
            line.hasPrefix("# HELP \(name) ") || line.hasPrefix("# TYPE \(name) ") || line.hasPrefix(name)
        }
    }

    @Test("a counter has its help, its type and a line for each set of labels, in a fixed order")
    func counters() {
        Counter(label: "requests_total", dimensions: [("method", "POST"), ("code", "200")], factory: registry)
            .increment(by: 3)
        Counter(label: "requests_total", dimensions: [("code", "200"), ("method", "GET")], factory: registry)
            .increment()
        #expect(
            lines("requests_total") == [
                #"# HELP requests_total Requests\nwith a \\ in their help."#, "# TYPE requests_total counter",
                #"requests_total{code="200",method="GET"} 1"#, #"requests_total{code="200",method="POST"} 3"#,
            ])
    }

    @Test("the same name and labels form one series, in any order of the labels")
    func oneSeries() {
        for labels in [[("a", "1"), ("b", "2")], [("b", "2"), ("a", "1")]] {
            Counter(label: "requests_total", dimensions: labels, factory: registry).increment()
        }
        #expect(lines("requests_total").last == #"requests_total{a="1",b="2"} 2"#)
    }

    @Test("a meter and a gauge show their last value, including infinities and NaN")
    func gauges() {
        let meter = Meter(label: "level", factory: registry)
        meter.set(7)
        meter.increment(by: 0.5)
        meter.decrement(by: 2)
        #expect(lines("level").suffix(2) == ["# TYPE level gauge", "level 5.5"])
        Gauge(label: "level", factory: registry).record(3)
        #expect(lines("level").last == "level 3")
        for (value, text) in [
            (Double.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"), (1e300, "1e+300"), (-2, "-2"),
        ] {
            meter.set(value)
            #expect(lines("level").last == "level \(text)")
        }
    }

    @Test("a timer is a histogram in seconds whose buckets count all values up to their bound")
    func histograms() {
        let timer = Timer(label: "duration_seconds", dimensions: [("pool", "p")], factory: registry)
        for milliseconds in [100, 500, 501, 2000, 60_000] { timer.recordMilliseconds(milliseconds) }
        #expect(
            lines("duration_seconds") == [
                "# HELP duration_seconds Times.", "# TYPE duration_seconds histogram",
                #"duration_seconds_bucket{pool="p",le="0.5"} 2"#, #"duration_seconds_bucket{pool="p",le="2"} 4"#,
                #"duration_seconds_bucket{pool="p",le="+Inf"} 5"#, #"duration_seconds_sum{pool="p"} 63.101"#,
                #"duration_seconds_count{pool="p"} 5"#,
            ])
    }

    @Test("an aggregating recorder is a histogram that ignores infinities and NaN")
    func recorders() {
        let recorder = Recorder(label: "size_bytes", factory: registry)
        for value in [10.0, 11, 1000, .nan, .infinity] { recorder.record(value) }
        #expect(
            lines("size_bytes").dropFirst(2) == [
                #"size_bytes_bucket{le="10"} 1"#, #"size_bytes_bucket{le="100"} 2"#,
                #"size_bytes_bucket{le="+Inf"} 3"#, "size_bytes_sum 1021", "size_bytes_count 3",
            ])
    }

    @Test("label values are escaped, and names are converted to ones that the format allows")
    func escaping() {
        Counter(
            label: "2nd.requests-made", dimensions: [("pool.name:x", "a \"b\" \\c\nd é")], factory: registry
        ).increment()
        #expect(lines("_2nd_requests_made").last == #"_2nd_requests_made{pool_name_x="a \"b\" \\c\nd é"} 1"#)
        #expect(lines("_2nd_requests_made").first == "# HELP _2nd_requests_made _2nd_requests_made")
        #expect(TextFormat.name("") == "_")
        #expect(TextFormat.name("a:b") == "a:b")
    }

    @Test("a metric under the name of another kind is ignored, and the existing metric stays intact")
    func anotherKind() {
        Counter(label: "requests_total", factory: registry).increment()
        Meter(label: "requests_total", factory: registry).set(5)
        Timer(label: "requests_total", factory: registry).recordSeconds(5)
        #expect(lines("requests_total").dropFirst() == ["# TYPE requests_total counter", "requests_total 1"])
    }

    @Test("a metric accepts no new label sets beyond the series limit")
    func bounded() {
        for number in 0..<PrometheusRegistry.seriesLimit + 100 {
            Counter(label: "requests_total", dimensions: [("n", "\(number)")], factory: registry).increment()
        }
        #expect(lines("requests_total").count == PrometheusRegistry.seriesLimit + 2)
    }

    @Test("a destroyed metric is no longer shown")
    func destroyed() {
        let counter = Counter(label: "requests_total", factory: registry)
        let meter = Meter(label: "level", factory: registry)
        let timer = Timer(label: "duration_seconds", factory: registry)
        let recorder = Recorder(label: "size_bytes", factory: registry)
        counter.destroy()
        meter.destroy()
        timer.destroy()
        recorder.destroy()
        for name in ["requests_total", "level", "duration_seconds", "size_bytes"] { #expect(lines(name).isEmpty) }
    }

    @Test("values from concurrent tasks are all counted")
    func concurrency() async {
        let counter = Counter(label: "requests_total", factory: registry)
        let timer = Timer(label: "duration_seconds", factory: registry)
        await withDiscardingTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1000 {
                        counter.increment()
                        timer.recordNanoseconds(1_000_000_000)
                    }
                }
            }
        }
        #expect(lines("requests_total").last == "requests_total 8000")
        #expect(lines("duration_seconds").suffix(2) == ["duration_seconds_sum 8000", "duration_seconds_count 8000"])
    }

    @Test("the metrics of the process are included")
    func process() throws {
        func value(_ name: String) throws -> Double {
            try #require(lines(name).last?.split(separator: " ").last.flatMap { Double($0) })
        }
        #expect(try value("process_cpu_seconds_total") > 0)
        #expect(try value("process_resident_memory_bytes") > 1e6)
        #expect(try value("process_open_fds") > 2)
        #expect(try value("process_open_fds") <= value("process_max_fds"))
        let age = try Double(time(nil)) - value("process_start_time_seconds")
        #expect(age > -2 && age < 3600 * 24)
    }

    @Test("every worker metric is described once, with the prefix, a help sentence and sorted buckets")
    func descriptions() {
        let names = MetricDescription.worker.map(\.name)
        #expect(Set(names).count == names.count)
        for description in MetricDescription.worker {
            #expect(description.name.hasPrefix("prefect_worker_"))
            #expect(description.help.hasSuffix("."))
            let buckets = description.buckets ?? []
            #expect(buckets == buckets.sorted())
        }
    }
}
