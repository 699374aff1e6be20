internal import HTTPTransport
package import Logging
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST
internal import Synchronization
internal import Tracing
package import WorkerMetrics

/// Sends the worker's spans and metrics to an OpenTelemetry receiver, by OTLP over HTTP in JSON.
///
/// No failure affects the worker. Spans wait in bounded memory while the receiver is not available.
package final class TelemetryExporter: Sendable {
    private let settings: TelemetrySettings
    private let document: TelemetryDocument
    private let queue: SpanQueue
    private let transport: HTTPTransport
    private let metrics: @Sendable () -> [MetricValues]
    private let logger: Logger
    private let start = DefaultTracerClock.now.nanosecondsSinceEpoch
    private let outage = Mutex<Set<String>>([])

    /// The tracer whose spans are sent.
    package var tracer: SpanTracer { SpanTracer(queue: queue, sampler: settings.sampler) }

    /// Makes an exporter. It sends nothing before ``during(_:)``.
    ///
    /// - Parameters:
    ///   - version: The version of the program.
    ///   - metrics: The present values of all metrics.
    package init(
        _ settings: TelemetrySettings, version: String, logger: Logger,
        metrics: @escaping @Sendable () -> [MetricValues]
    ) throws {
        self.settings = settings
        self.metrics = metrics
        self.logger = logger
        document = TelemetryDocument(resource: settings.resource, version: version)
        queue = SpanQueue(capacity: settings.queuedSpans, batch: settings.spansInRequest)
        transport = try HTTPTransport(TransportConfiguration(maxConnectionsPerHost: 2))
    }

    /// How long the end of the program waits for the last spans and metrics.
    private static let finalLimit = Duration.seconds(5)

    /// Sends spans and metrics while a body runs, and the last ones after it, for at most five seconds.
    package func during(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let result = await raceOf(
            { () -> Result<Void, any Error> in
                do { return .success(try await body()) } catch { return .failure(error) }
            },
            {
                await self.run()
                return .success(())
            })
        try? await withDeadline(Self.finalLimit, for: "the last telemetry") { await self.sendAll() }
        try result.get()
    }

    private func run() async {
        await withDiscardingTaskGroup { group in
            if let traces = settings.traces {
                group.addTask {
                    while !Task.isCancelled {
                        await self.queue.waitUntilFilled(atMost: self.settings.spanDelay)
                        await self.sendSpans(to: traces)
                    }
                }
            }
            if let destination = settings.metrics {
                group.addTask {
                    while (try? await Task.sleep(for: self.settings.metricInterval)) != nil {
                        await self.sendMetrics(to: destination)
                    }
                }
            }
        }
    }

    private func sendAll() async {
        if let traces = settings.traces { await sendSpans(to: traces) }
        if let destination = settings.metrics { await sendMetrics(to: destination) }
    }

    private func sendSpans(to destination: TelemetrySettings.Destination) async {
        let dropped = queue.takeDropped()
        if dropped > 0 { logger.warning("\(dropped) spans were dropped, because the queue of spans was full") }
        while !Task.isCancelled, case let spans = queue.take(), !spans.isEmpty {
            await send(document.traces(spans), to: destination, "spans")
        }
    }

    private func sendMetrics(to destination: TelemetrySettings.Destination) async {
        let now = DefaultTracerClock.now.nanosecondsSinceEpoch
        await send(document.metrics(metrics(), since: start, at: now), to: destination, "metrics")
    }

    private func send(_ body: JSONValue, to destination: TelemetrySettings.Destination, _ what: String) async {
        var headers = HTTPHeaders()
        for header in destination.headers { headers[header.name] = header.value }
        var client = RESTClient(
            transport: transport, baseURL: destination.url, headers: headers,
            retries: Retries(
                limit: 4, repeatsApplied: true, longestPause: .seconds(10), longestRetryAfter: .seconds(30)))
        client.tls = destination.tls
        do {
            _ = try await client.send(
                RESTRequest(
                    .post, "", body: .json(body), deadlines: Deadlines(whole: destination.timeLimit),
                    operation: "POST \(what) to \(ParsedURL(destination.url)?.redacted ?? "")"))
            if outage.withLock({ $0.remove(what) }) != nil { logger.info("The \(what) are sent again") }
        } catch is CancellationError {
            return
        } catch {
            // One line for each outage: the receiver may be away for days.
            guard outage.withLock({ $0.insert(what).inserted }) else { return }
            logger.warning("The \(what) could not be sent: \(error); see OTEL_EXPORTER_OTLP_ENDPOINT")
        }
    }
}
