import FoundationEssentials
import PrefectClient
import PrefectJSON
import TestSupport
import Testing
import WorkerMetrics

@testable import WorkerKit

@Suite("Waiting runs in the metrics", .serialized)
struct WaitingRunsTests {
    /// The samples of the metric, by their labels.
    private func samples(_ registry: PrometheusRegistry) -> [String: String] {
        let lines = registry.render().split(separator: "\n").filter { $0.hasPrefix("prefect_worker_waiting_runs{") }
        return Dictionary(
            lines.map { line in
                let parts = line.dropFirst("prefect_worker_waiting_runs".count).split(separator: " ")
                return (String(parts[0]), String(parts[1]))
            }, uniquingKeysWith: { $1 })
    }

    /// Runs a worker that claims nothing. Its pool has the queues `default` and `high`.
    private func withPausedWorker(
        _ body: (FakePrefectAPI, FakeDeployment, WorkerUnderTest, PrometheusRegistry) async throws -> Void
    ) async throws {
        let registry = PrometheusRegistry()
        try await withPool { api, deployment in
            try await withWorker(api, metrics: registry, serve: { $0.prefetch = .seconds(10) }) { subject in
                _ = subject.services.claiming.enter(.paused)
                try await eventually("the pool is known") { subject.worker.state.pool != nil }
                try await body(api, deployment, subject, registry)
            }
        }
    }

    /// Scrapes until the numbers are known. The API may not give them in the time for which a scrape waits.
    private func scrape(_ subject: WorkerUnderTest, _ registry: PrometheusRegistry) async throws {
        try await eventually("the numbers are known") {
            await subject.daemon.updateAllMeters()
            return !samples(registry).isEmpty
        }
    }

    @Test("a scrape counts due and late runs with one number for each request, and later scrapes use them again")
    func counts() async throws {
        try await withPausedWorker { api, deployment, subject, registry in
            _ = api.scheduleRuns(3, deployment: deployment, at: .now - 60)
            _ = api.scheduleRuns(2, deployment: deployment, at: .now)
            _ = api.scheduleRuns(4, deployment: deployment, at: .now + 3600)
            #expect(api.requests("POST", "/flow_runs/count").isEmpty)
            try await scrape(subject, registry)
            #expect(
                samples(registry) == [
                    #"{late="true",pool="p",queue="default"}"#: "3", #"{late="false",pool="p",queue="default"}"#: "2",
                ])
            let requests = api.requests("POST", "/flow_runs/count").count
            #expect(requests == 2)
            await subject.daemon.updateAllMeters()
            #expect(api.requests("POST", "/flow_runs/count").count == requests)
            #expect(api.requests("POST", "/flow_runs/filter").isEmpty)
        }
    }

    @Test("a pool without waiting runs costs one request and shows zero")
    func nothing() async throws {
        try await withPausedWorker { api, _, subject, registry in
            try await scrape(subject, registry)
            #expect(Set(samples(registry).values) == ["0"] && samples(registry).count == 2)
            #expect(api.requests("POST", "/flow_runs/count").count == 1)
        }
    }

    @Test("an API that does not answer delays a scrape by two seconds at most, and unknown numbers are not shown")
    func unknown() async throws {
        try await withPausedWorker { api, deployment, subject, registry in
            api.scheduleRun(deployment: deployment)
            api.script(path: "/flow_runs/count", answer: .hang)
            let began = ContinuousClock.now
            await subject.daemon.updateAllMeters()
            // The limit is two seconds. The rest is for a slow machine.
            #expect(ContinuousClock.now - began < .seconds(10))
            #expect(samples(registry).isEmpty)
        }
    }

    @Test("an error of the API leaves the numbers unknown without a delay")
    func refused() async throws {
        try await withPausedWorker { api, _, subject, registry in
            api.script(path: "/flow_runs/count", answer: .databaseLocked)
            await subject.daemon.updateAllMeters()
            #expect(samples(registry).isEmpty)
        }
    }

    @Test("a number that is not known any more is removed")
    func removed() {
        let registry = PrometheusRegistry()
        let meters = WaitingRunMeters(factory: registry)
        meters.show([.init(pool: "p", queue: nil, isLate: true, runs: 7)])
        #expect(samples(registry) == [#"{late="true",pool="p"}"#: "7"])
        meters.show([.init(pool: "q", queue: "a", isLate: false, runs: 1)])
        #expect(samples(registry) == [#"{late="false",pool="q",queue="a"}"#: "1"])
        meters.show([])
        #expect(samples(registry).isEmpty)
    }
}
