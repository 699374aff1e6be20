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

/// A kind of backend that this program is built with, by the type of the pools that it serves.
struct BackendKind: Sendable {
    /// The type of the pools.
    let type: String
    /// What a worker without a name is called, before its unique part.
    let workerName: String
    /// The template that a pool without one of its own is given.
    let defaultTemplate: @Sendable () -> BaseJobTemplate
    /// How many runs there can be at a time with so many open files.
    let mostRuns: @Sendable (_ openFiles: Int) -> Int
    /// The part of a rendered configuration that is shown without preparation.
    var common: @Sendable (JSONValue) throws -> JSONValue = { try BaseJobConfiguration(rendered: $0).json }
    /// Makes a backend.
    let make: @Sendable (Request) throws -> any InfrastructureBackend

    /// What a backend may be told when it is made.
    struct Request: Sendable {
        /// The Python that was asked for.
        var python: String?
        /// Whether job variables may name programs and files of the worker's host to authenticate with a cluster.
        var allowsHostCredentials = false
        /// What is set for integrations.
        var settings: IntegrationSettings
        /// The worker's state directory, where it has one.
        var stateDirectory: String?
        /// Why a worker that serves pools has no state directory.
        var lacksStateDirectory: String?
        /// Where what runs print goes; to our own standard output and standard error where there is no other place.
        var sink: (any OutputSink)?
        /// The log that the worker's operator reads.
        var logger = Logger(label: "prefect.workers", factory: { _ in SwiftLogNoOpLogHandler() })
    }
}

/// The template of a pool, the pool's type, and the jobs that the pool may get, if they are known.
typealias BackendTemplate = (type: String, template: JSONValue, jobs: PoolJobs?)

/// The backends that this program is built with.
enum Backends {
    private static let all = [process, docker, kubernetes, systemd]

    /// The types of pools that can be served.
    static let types = all.map(\.type)

    /// The kind of backend that serves a type of pool.
    static func kind(ofType type: String) -> BackendKind? { all.first { $0.type == type } }

    /// The process backend; the private directories of runs are in the worker's state directory, where it has one. Each run
    /// takes its pidfd, its two output files and its control session, and a few more files while it is started.
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

    /// The Docker backend. Each run takes the connection of its log, and those of its requests while it is started.
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

    /// The Kubernetes backend. Each run may take a connection for its output, where the cluster does not share them.
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

    /// The systemd backend. Its runs take no open files but for a moment while they are started and when they have ended.
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

    /// The worker's environment as far as others may have it.
    static var environment: [String: String] {
        ProcessInfo.processInfo.environment.filter { !ServiceManager.ownVariables.contains($0.key) }
    }

    /// A problem of the worker's own infrastructure, for pools whose jobs bring some.
    static func withoutOwn(_ problem: BackendReport.Finding) -> String {
        "\(problem.detail). Only jobs that name infrastructure of their own can be run, as the pool's do."
    }

    /// Says, while the worker is already at work, what is wrong with its infrastructure; a worker that could run
    /// nothing leaves, unless that may pass by itself, or jobs made from the pool's template bring what is missing.
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

    /// Why nothing can be run with a backend until somebody changes something; `nil` where that may pass by itself, or where
    /// jobs made from a pool's template bring what is missing, which is logged.
    static func permanentProblem(
        of backend: any InfrastructureBackend, templates: [BackendTemplate], _ logger: Logger
    ) async -> BackendReport.Finding? {
        let own = templates.filter { $0.type == type(of: backend).workerType }
        let report = await backend.check(own.compactMap(\.jobs))
        for part in report.findings where !part.isGood && part.isPartial {
            logger.warning("\(part.detail.beginningInUpperCase)")
        }
        guard let problem = report.problem, backend.trouble == nil, !Task.isCancelled else { return nil }
        guard own.contains(where: { type(of: backend).bringsInfrastructure($0.template) }) else { return problem }
        logger.warning("\(withoutOwn(problem))")
        return nil
    }
}

extension String {
    /// The text as a sentence begins.
    fileprivate var beginningInUpperCase: String { "\(prefix(1).uppercased())\(dropFirst())" }
}
