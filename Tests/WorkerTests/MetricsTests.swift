import BackendKit
import CoreMetrics
import Foundation
import PrefectClient
import PrefectJSON
import TestSupport
import Testing
import WorkerMetrics

@testable import WorkerKit

@Suite("Metrics of a worker", .serialized)
struct MetricsTests {
    /// The value of a series; `nil` when the series does not exist.
    private func value(_ registry: PrometheusRegistry, _ series: String) -> Double? {
        registry.render().split(separator: "\n").first { $0.hasPrefix(series + " ") }
            .flatMap { $0.split(separator: " ").last }.flatMap { Double($0) }
    }

    private func outcomes(_ registry: PrometheusRegistry) -> [RunOutcome: Int] {
        var outcomes: [RunOutcome: Int] = [:]
        for outcome in RunOutcome.allCases {
            let series = #"prefect_worker_run_outcomes_total{outcome="\#(outcome.rawValue)",pool="p"}"#
            if let count = value(registry, series), count > 0 { outcomes[outcome] = Int(count) }
        }
        return outcomes
    }

    @Test("runs in flight use slots and are counted by stage, and ended runs are counted by outcome")
    func runs() async throws {
        let registry = PrometheusRegistry()
        try await withPool { api, deployment in
            let runs = ["completes", "crashes", "is-cancelled"].map {
                api.scheduleRun(deployment: deployment, name: $0)
            }
            try await withWorker(api, metrics: registry, serve: { $0.limit = 5 }) { subject in
                try await api.waitUntil("all runs have started") { state in
                    runs.allSatisfy { state.run($0)?.infrastructurePID != nil }
                }
                subject.daemon.updateMeters()
                #expect(value(registry, #"prefect_worker_slots_used{pool="p"}"#) == 3)
                #expect(value(registry, #"prefect_worker_slots_limit{pool="p"}"#) == 5)
                #expect(value(registry, "prefect_worker_all_slots_used") == 3)
                #expect(registry.render().contains("\nprefect_worker_all_slots_limit +Inf\n"))
                #expect(value(registry, #"prefect_worker_runs{pool="p",stage="running"}"#) == 3)
                #expect(value(registry, #"prefect_worker_runs{pool="p",stage="due"}"#) == 0)
                #expect(value(registry, #"prefect_worker_pool_ready{pool="p"}"#) == 1)

                api.setState(of: runs[0], to: .running)
                api.setState(of: runs[0], to: .completed)
                subject.backend.finish(runs[0], .reported("COMPLETED"))
                subject.backend.finish(runs[1], ExitStatus(code: 3))
                api.setState(of: runs[2], to: .cancelling)
                try await subject.waitUntilIdle()
                #expect(outcomes(registry) == [.ended: 1, .crashed: 1, .cancelled: 1])

                subject.backend.script {
                    $0.beforeStart = { _ in throw InfrastructureError(.refused, "no") }
                }
                api.scheduleRun(deployment: deployment)
                try await eventually("the refused run is counted") { outcomes(registry)[.failedToStart] == 1 }
                let count = #"prefect_worker_submit_duration_seconds_count{pool="p"}"#
                #expect(value(registry, count) == 3)
                #expect(value(registry, #"prefect_worker_pickup_lateness_seconds_count{pool="p"}"#) == 4)
                #expect(value(registry, #"prefect_worker_poll_duration_seconds_count{pool="p"}"#) ?? 0 > 1)
                try await subject.waitUntilIdle()
                // The worker frees the slot of a run after it has stopped holding the run.
                try await eventually("the slot of the run is free") { subject.worker.slots.used == 0 }
                subject.daemon.updateMeters()
                #expect(value(registry, #"prefect_worker_slots_used{pool="p"}"#) == 0)
                #expect(value(registry, #"prefect_worker_runs{pool="p",stage="running"}"#) == 0)
            }
            let text = registry.render()
            for name in runs + ["completes", "my-flow", "my-deployment"] { #expect(!text.contains(name)) }
        }
    }

    @Test("a run deleted before its claim counts as 'not started', and a run kept at exit counts as 'left'")
    func others() async throws {
        let registry = PrometheusRegistry()
        try await withPool { api, deployment in
            let kept = api.scheduleRun(deployment: deployment)
            let gone = api.scheduleRun(deployment: deployment)
            api.script(path: "/flow_runs/\(gone)/set_state", answer: .status(404))
            try await withWorker(api, metrics: registry, serve: { $0.leavesRunsOnExit = true }) { subject in
                try await api.waitUntil("one run has started") { $0.run(kept)?.infrastructurePID != nil }
                try await eventually("the other run is counted as not started") {
                    outcomes(registry)[.notStarted] ?? 0 > 0
                }
                subject.shutdown.escalate()
                try await subject.waitForEnd()
                #expect(outcomes(registry)[.left] == 1)
            }
        }
    }

    @Test("the lateness of a run that was due in the year 1 is counted")
    func endlessLateness() {
        let registry = PrometheusRegistry()
        PoolMetrics(pool: "p", factory: registry).pickedUp(dueAt: Timestamp("0001-01-01T00:00:00Z"))
        #expect(value(registry, #"prefect_worker_pickup_lateness_seconds_count{pool="p"}"#) == 1)
    }

    @Test("the lateness of a run counts from its expected start and is never negative")
    func lateness() async throws {
        let registry = PrometheusRegistry()
        try await withPool { api, deployment in
            let late = api.scheduleRuns(1, deployment: deployment, at: .now - 60)[0]
            let early = api.scheduleRuns(1, deployment: deployment, at: .now + 600)[0]
            try await withWorker(api, metrics: registry, serve: { $0.prefetch = .seconds(3600) }) { subject in
                try await api.waitUntil("both runs have started") { state in
                    [late, early].allSatisfy { state.run($0)?.infrastructurePID != nil }
                }
            }
            #expect(value(registry, #"prefect_worker_pickup_lateness_seconds_bucket{pool="p",le="0.1"}"#) == 1)
            #expect(value(registry, #"prefect_worker_pickup_lateness_seconds_bucket{pool="p",le="30"}"#) == 1)
            #expect(value(registry, #"prefect_worker_pickup_lateness_seconds_bucket{pool="p",le="300"}"#) == 2)
        }
    }

    @Test("a worker that is starting, or whose pool cannot be served, is not ready")
    func readiness() async throws {
        let registry = PrometheusRegistry()
        let probes = WorkerProbes(metrics: registry)
        probes.updateMeters()
        #expect(value(registry, "prefect_worker_ready") == 0)
        try await withPool { api, deployment in
            try await withWorker(api, metrics: registry) { subject in
                probes.setDaemon(subject.daemon)
                try await eventually("the worker is ready") {
                    probes.updateMeters()
                    return value(registry, "prefect_worker_ready") == 1
                }
                subject.backend.script { $0.unavailableReason = "no engine" }
                probes.updateMeters()
                #expect(value(registry, "prefect_worker_ready") == 0)
                #expect(value(registry, #"prefect_worker_pool_ready{pool="p"}"#) == 0)
            }
        }
    }

    @Test("every metric of a worker has a description, and every described metric is shown")
    func described() async throws {
        let registry = PrometheusRegistry()
        try await withPool { api, deployment in
            let probes = WorkerProbes(metrics: registry)
            try await withWorker(api, metrics: registry) { subject in
                probes.setDaemon(subject.daemon)
                try await eventually("the worker has polled") { subject.worker.state.hasPolled }
                await probes.updateAllMeters()
            }
        }
        let shown = registry.render().split(separator: "\n").filter { $0.hasPrefix("# TYPE prefect_worker_") }
            .map { String($0.split(separator: " ")[2]) }
        // The program's client and queues report these metrics, and so do backends with a watch or with warm engines.
        let others = MetricDescription.worker.map(\.name).filter { name in
            ["api_", "backlog_lost", "build_info", "watch_lag", "engine_starts", "zygotes"].contains {
                name.contains("prefect_worker_\($0)")
            }
        }
        #expect(Set(shown) == Set(MetricDescription.worker.map(\.name)).subtracting(others))
    }
}
