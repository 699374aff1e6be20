import CoreMetrics
import HealthServer
import PrefectClient
import WorkerKit
import WorkerMetrics

extension PrometheusRegistry {
    /// Installs the registry that records all metrics from now on. Meters must be made after that.
    static func installed() -> PrometheusRegistry {
        let registry = PrometheusRegistry()
        MetricsSystem.bootstrap(registry)
        Meter(
            label: "prefect_worker_build_info",
            dimensions: [
                ("version", RootCommand.version), ("prefect_version", APIClient.prefectVersion),
                ("swift_version", "\(_SwiftStdlibVersion.current)"),
            ]
        ).set(1)
        return registry
    }
}

extension StatusRoute {
    /// `/metrics`, for Prometheus.
    static func metrics(_ registry: PrometheusRegistry, of probes: WorkerProbes) -> StatusRoute {
        StatusRoute(path: "/metrics") {
            await probes.updateAllMeters()
            return RouteAnswer(status: 200, contentType: PrometheusRegistry.contentType, body: registry.render())
        }
    }
}
