import BackendKit
import BackendKitTesting
import JobTemplates
import PrefectClient

/// A backend whose runs are entries in memory that end at once. It shows the parts of the contract.
struct ToyBackend: Backend {
    static let traits = BackendTraits(
        type: "toy", workerName: "ToyWorker", makeBaseJobTemplate: { PoolTemplate.template(own: [:]) },
        outlivesWorker: false)

    init(host: BackendHost) {}

    func workload(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws -> any Workload {
        ToyWorkload(name: run.flowRunName, configuration: try BaseJobConfiguration(rendered: rendered))
    }

    func check(_ pools: [PoolJobs]) async -> BackendReport {
        BackendReport(findings: [.init(subject: "toy", detail: "the memory of this process", isGood: true)])
    }
}

/// A run of the toy backend.
struct ToyWorkload: Workload {
    let name: String
    let configuration: BaseJobConfiguration

    var description: JSONValue { configuration.json }

    func start() async throws -> InfrastructureIdentifier { InfrastructureIdentifier(rawValue: "toy:\(name)") }

    func wait(for identifier: InfrastructureIdentifier) async throws -> ExitStatus { ExitStatus(code: 0) }

    func stop(_ identifier: InfrastructureIdentifier, grace: Duration, reason: StopReason) async throws {}

    func recover(_ identifier: InfrastructureIdentifier?) async throws -> RecoveredInfrastructure {
        identifier.map { .ended($0) } ?? .neverStarted
    }
}

/// The toy backend, as the conformance suite sees it.
struct ToySubject: ConformanceSubject {
    var backend: any Backend.Type { ToyBackend.self }
    var host: BackendHost { BackendHost(environment: [:], settings: IntegrationSettings(environment: [:])) }
}

/// Checks that the toy backend is usable; the other cases need a backend that runs commands.
func checkToy() async throws { try await ConformanceCase.usable.check(ToySubject()) }
