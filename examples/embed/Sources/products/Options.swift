import BackendKit
import DockerBackend
import KubernetesBackend
import Logging
import PrefectClient
import ProcessBackend
import SystemdBackend
import WorkerKit

/// A configuration with several pools, limits, and places of its own for state, logs and output.
func configuration(settings: PrefectSettings) -> WorkerConfiguration {
    var containers = ServingPlan.Pool(name: "containers", type: "docker", limit: 5)
    containers.queues = ["urgent", "default"]
    containers.workerName = "containers-of-my-program"
    let plan = ServingPlan(pools: [ServingPlan.Pool(name: "local"), containers], limit: 20, workerName: "my-program")

    var configuration = WorkerConfiguration(
        settings: settings, plan: plan,
        backends: [ProcessBackend.self, DockerBackend.self, KubernetesBackend.self, SystemdBackend.self])
    configuration.stateDirectory = "/var/lib/my-program/worker"
    configuration.drainTimeout = .seconds(600)
    configuration.output = DescriptorSink.standardError
    configuration.makeLogHandler = { label in StreamLogHandler.standardError(label: label) }
    return configuration
}
