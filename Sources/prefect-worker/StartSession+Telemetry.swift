import Logging
import Tracing
import WorkerKit
import WorkerMetrics
import WorkerTelemetry

extension TelemetrySettings {
    /// The settings in the environment; `nil` if nothing is to be sent. Variables that this program cannot use may be
    /// meant for the flows, so they do not prevent the start.
    static func ofWorker(_ environment: [String: String], _ logger: Logger) -> TelemetrySettings? {
        do {
            let settings = try TelemetrySettings(environment: environment, version: RootCommand.version)
            return settings.isActive ? settings : nil
        } catch {
            logger.warning("The worker sends no spans and no metrics: \(error)")
            return nil
        }
    }

    /// Makes an exporter, and installs its tracer for all spans from now on.
    func installedExporter(
        of registry: PrometheusRegistry?, _ probes: WorkerProbes, _ logger: Logger
    ) -> TelemetryExporter? {
        do {
            let exporter = try TelemetryExporter(self, version: RootCommand.version, logger: logger) {
                probes.updateMeters()
                return registry?.values ?? []
            }
            if traces != nil { InstrumentationSystem.bootstrap(exporter.tracer) }
            return exporter
        } catch {
            logger.warning("The worker sends no spans and no metrics: \(error)")
            return nil
        }
    }
}
