import CoreMetrics
import FoundationEssentials
import HTTPTransport
import PrefectClient
import TestSupport
import Testing
import WorkerMetrics

@Suite("Metrics of requests")
struct APIMetricsTests {
    /// The lines of a registry that begin with a text.
    private func lines(_ registry: PrometheusRegistry, _ beginning: String) -> [String] {
        registry.render().split(separator: "\n").map(String.init).filter { $0.hasPrefix(beginning) }
    }

    private func withClient(
        _ api: FakePrefectAPI, _ registry: PrometheusRegistry, url: String? = nil,
        _ body: (APIClient) async throws -> Void
    ) async throws {
        let transport = try HTTPTransport(TransportConfiguration(proxies: .direct))
        let client = APIClient(
            configuration: .init(url: url ?? api.url), transport: transport, metrics: registry, sleep: { _ in })
        do {
            try await body(client)
        } catch {
            await transport.shutdown()
            throw error
        }
        await transport.shutdown()
    }

    @Test("requests are counted by routes without names and ids")
    func routes() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "a pool's name")
            let registry = PrometheusRegistry()
            try await withClient(api, registry) { client in
                for _ in 0..<2 { _ = try await client.readWorkPool(named: "a pool's name") }
                _ = try? await client.readWorkPool(named: "queues")
                _ = try? await client.readFlowRun(id: UUID(id: "0a1b2c3d-0000-4000-8000-000000000000"))
                _ = try? await client.createWorkQueue(WorkQueueCreate(name: "q"), inWorkPool: "a pool's name")
            }
            let requests = lines(registry, "prefect_worker_api_requests_total")
            let pool = #"prefect_worker_api_requests_total{code="200",method="GET",route="/work_pools/{name}"} 2"#
            #expect(requests.contains(pool))
            #expect(requests.contains { $0.contains(#"{code="404",method="GET",route="/work_pools/{name}"} 1"#) })
            #expect(requests.contains { $0.contains(#"{code="404",method="GET",route="/flow_runs/{id}"} 1"#) })
            #expect(requests.contains { $0.contains(#"route="/work_pools/{name}/queues"} 1"#) })
            // The request for the CSRF token.
            #expect(requests.contains { $0.contains(#"route="/csrf-token"} 1"#) })
            let text = registry.render()
            for name in ["a pool's name", "0a1b2c3d", #""queues""#] { #expect(!text.contains(name)) }
            let count = #"prefect_worker_api_request_duration_seconds_count{method="GET",route="/work_pools/{name}"} 3"#
            #expect(lines(registry, "prefect_worker_api_request_duration_seconds_count").contains(count))
        }
    }

    @Test("each attempt and each retry is counted")
    func retries() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            api.script(times: 2, answer: .status(503))
            let registry = PrometheusRegistry()
            try await withClient(api, registry) { _ = try await $0.readWorkPool(named: "p") }
            let requests = lines(registry, "prefect_worker_api_requests_total")
            #expect(requests.contains { $0.contains(#"code="503""#) && $0.hasSuffix(" 2") })
            #expect(requests.contains { $0.contains(#"code="200""#) && $0.hasSuffix(" 1") })
            let retries = #"prefect_worker_api_retries_total{method="GET",route="/work_pools/{name}"} 2"#
            #expect(lines(registry, "prefect_worker_api_retries_total") == [retries])
        }
    }

    @Test("a request without an answer is counted with the code none")
    func noAnswer() async throws {
        try await withFakePrefectAPI { api in
            let registry = PrometheusRegistry()
            try await withClient(api, registry, url: "http://127.0.0.1:1/api") { client in
                await #expect(throws: APIError.self) { try await client.readAPIVersion(effort: .once) }
            }
            let line = #"prefect_worker_api_requests_total{code="none",method="GET",route="/admin/version"} 1"#
            #expect(lines(registry, "prefect_worker_api_requests_total") == [line])
        }
    }

    @Test("items that exceed the backlog and items that the API refuses are counted as lost")
    func lost() async throws {
        let registry = PrometheusRegistry()
        let limits = BatchShipper<Int>.Limits(
            interval: .milliseconds(1), batchBytes: 100, batchItems: 10, backlogBytes: 100, backlogItems: 3)
        let shipper = BatchShipper<Int>(
            name: "log lines", limits: limits, metrics: registry, logger: CapturedLog().logger,
            deliver: { _ in .refused(reason: "no") })
        for item in 0..<5 { shipper.add(item, bytes: 1) }
        let line = #"prefect_worker_backlog_lost_total{kind="log_lines"}"#
        #expect(lines(registry, line) == ["\(line) 2"])
        shipper.close()
        await shipper.run()
        #expect(lines(registry, line) == ["\(line) 5"])
    }
}
