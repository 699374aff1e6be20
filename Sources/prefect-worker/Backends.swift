import DockerBackend
import FoundationEssentials
import JSON
import JobTemplates
import KubernetesBackend
import Logging
import PrefectAPI
import ProcessBackend
import Systemd
import SystemdBackend
import Worker

/// A kind of backend that this program contains, with the type of the pools that it serves.
struct BackendKind: Sendable {
    /// The type of the pools.
    let type: String
    /// The default name of a worker, before its unique part.
    let workerName: String
    /// The template for a pool that has no template of its own.
    let defaultTemplate: @Sendable () -> BaseJobTemplate
    /// The maximum number of concurrent runs for a limit of open files.
    let mostRuns: @Sendable (_ openFiles: Int) -> Int
    /// Returns the part of a rendered configuration that is shown without preparation.
    var common: @Sendable (JSONValue) throws -> JSONValue = { try BaseJobConfiguration(rendered: $0).json }
    /// Makes a backend.
    let make: @Sendable (Request) throws -> any InfrastructureBackend

    /// The values that a backend may need when it is made.
    struct Request: Sendable {
        /// The Python interpreter that the user chose.
        var python: String?
        /// Whether job variables may name programs and files of the worker's host to authenticate with a cluster.
        var allowsHostCredentials = false
        /// The settings of integrations.
        var settings: IntegrationSettings
        /// The worker's state directory, if it has one.
        var stateDirectory: String?
        /// The reason why a worker that serves pools has no state directory.
        var lacksStateDirectory: String?
        /// The destination of the output of runs; `nil` for this process's standard output and standard error.
        var sink: (any OutputSink)?
        /// The log for the worker's operator.
        var logger = Logger(label: "prefect.workers", factory: { _ in SwiftLogNoOpLogHandler() })
    }
}

/// The type of a pool, its template, and the jobs that the pool may get, if they are known.
typealias BackendTemplate = (type: String, template: JSONValue, jobs: PoolJobs?)

/// The backends that this program contains.
enum Backends {
    private static let all = [process, docker, kubernetes, systemd]

    /// The types of pools that can be served.
    static let types = all.map(\.type)

    /// Returns the kind of backend that serves a type of pool.
    static func kind(ofType type: String) -> BackendKind? { all.first { $0.type == type } }

    /// The process backend. The private directories of runs are in the worker's state directory, if it has one. Each
    /// run uses its pidfd, its two output files and its control session, and a few more files during its start.
    static let process = BackendKind(
        type: ProcessBackend.workerType, workerName: "ProcessWorker",
        defaultTemplate: { ProcessBackend.defaultBaseJobTemplate }, mostRuns: { max(1, ($0 - 128) / 6) },
        make: { request in
            try ProcessBackend(
                options: .init(
                    interpreter: request.python, environment: environment,
                    runDirectories: request.stateDirectory.map { "\($0)/runs" },
                    ownsRunDirectories: request.stateDirectory != nil,
                    standardOutput: request.sink ?? DescriptorSink.standardOutput,
                    standardError: request.sink ?? DescriptorSink.standardError, checkTimeLimit: .seconds(60)))
        })

    /// The Docker backend. Each run uses the connection of its log, and the connections of its requests during its
    /// start.
    static let docker = BackendKind(
        type: DockerBackend.workerType, workerName: "DockerWorker",
        defaultTemplate: { DockerBackend.defaultBaseJobTemplate }, mostRuns: { max(1, ($0 - 128) / 4) },
        make: { request in
            try DockerBackend(
                options: .init(
                    environment: environment, stateDirectory: request.stateDirectory,
                    standardOutput: request.sink ?? DescriptorSink.standardOutput,
                    standardError: request.sink ?? DescriptorSink.standardError, logger: request.logger))
        })

    /// The Kubernetes backend. Each run may use a connection for its output, if the cluster does not share connections.
    static let kubernetes = BackendKind(
        type: KubernetesBackend.workerType, workerName: "KubernetesWorker",
        defaultTemplate: { KubernetesBackend.defaultBaseJobTemplate }, mostRuns: { max(1, ($0 - 128) / 2) },
        common: { try KubernetesConfiguration.common($0) },
        make: { request in
            KubernetesBackend(
                options: .init(
                    environment: environment, settings: request.settings, stateDirectory: request.stateDirectory,
                    output: request.sink ?? DescriptorSink.standardOutput,
                    allowsHostCredentials: request.allowsHostCredentials, logger: request.logger))
        })

    /// The systemd backend. Its runs use open files only for a moment, during their start and after their end.
    static let systemd = BackendKind(
        type: SystemdBackend.workerType, workerName: "SystemdWorker",
        defaultTemplate: { SystemdBackend.defaultBaseJobTemplate }, mostRuns: { max(1, $0 - 128) },
        make: { request in
            if let problem = request.lacksStateDirectory {
                throw Refusal(
                    "\(problem); a systemd pool is not served without one: correct it or give another --state-dir")
            }
            return try SystemdBackend(
                options: .init(
                    interpreter: request.python, environment: environment, stateDirectory: request.stateDirectory,
                    standardOutput: request.sink ?? DescriptorSink.standardOutput, logger: request.logger))
        })

    /// The worker's environment without the variables that no other process may have.
    static var environment: [String: String] {
        ProcessInfo.processInfo.environment.filter { !ServiceManager.ownVariables.contains($0.key) }
    }

    /// Returns the message for a problem of the worker's own infrastructure, for pools whose jobs name other
    /// infrastructure.
    static func withoutOwn(_ problem: BackendReport.Finding) -> String {
        "\(problem.detail). Only jobs that name their own infrastructure can run; the jobs of this pool do."
    }

    /// Checks the infrastructure while the worker is already at work, and logs problems. A worker that cannot run
    /// anything ends, unless the problem may pass by itself, or jobs from the pool's template name the missing
    /// infrastructure.
    static func check(
        _ backends: [any InfrastructureBackend], templates: [BackendTemplate], logger: Logger, shutdown: ShutdownSignal
    ) async {
        let problem = try? await shutdown.whileServing {
            await withTaskGroup(of: BackendReport.Finding?.self) { group in
                for backend in backends {
                    group.addTask { await permanentProblem(of: backend, templates: templates, logger) }
                }
                return await group.reduce(into: []) { $0.append($1) }.lazy.compactMap(\.self).first
            }
        }
        if let problem = problem ?? nil { shutdown.refuse(problem.detail) }
    }

    /// Returns why nothing can run with a backend until the operator changes something. Returns `nil` when the problem
    /// may pass by itself. Also returns `nil`, and logs the problem, when jobs from a pool's template name the missing
    /// infrastructure.
    static func permanentProblem(
        of backend: any InfrastructureBackend, templates: [BackendTemplate], _ logger: Logger
    ) async -> BackendReport.Finding? {
        let own = templates.filter { $0.type == type(of: backend).workerType }
        let report = await backend.check(own.compactMap(\.jobs))
        for part in report.findings where !part.isGood && part.isPartial {
            logger.warning("\(part.detail.beginningInUpperCase)")
        }
        guard let problem = report.problem, backend.unavailableReason == nil, !Task.isCancelled else { return nil }
        guard own.contains(where: { type(of: backend).bringsInfrastructure($0.template) }) else { return problem }
        logger.warning("\(withoutOwn(problem))")
        return nil
    }
}

extension String {
    /// The text with its first letter in upper case.
    fileprivate var beginningInUpperCase: String { "\(prefix(1).uppercased())\(dropFirst())" }
}
