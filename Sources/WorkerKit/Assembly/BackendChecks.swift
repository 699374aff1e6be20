package import BackendKit
internal import Logging
package import PrefectJSON

/// The type of a pool, its template, and the jobs that the pool may get, if they are known.
package typealias BackendTemplate = (type: String, template: JSONValue, jobs: PoolJobs?)

extension [any Backend.Type] {
    /// The types of pools that can be served.
    package var types: [String] { map { $0.traits.type } }

    /// Returns the backend that serves a type of pool.
    package func backend(ofType type: String) -> (any Backend.Type)? { first { $0.traits.type == type } }
}

/// The checks of backends, for a worker that serves and for `prefect-worker check`.
package enum BackendChecks {
    /// Returns the message for a problem of the worker's own infrastructure, for pools whose jobs name other
    /// infrastructure.
    package static func withoutOwn(_ problem: BackendReport.Finding) -> String {
        "\(problem.detail). Only jobs that name their own infrastructure can run; the jobs of this pool do."
    }

    /// Checks the infrastructure while the worker is already at work, and logs problems. A worker that cannot run
    /// anything ends, unless the problem may pass by itself, or jobs from the pool's template name the missing
    /// infrastructure.
    static func check(
        _ backends: [any Backend], templates: [BackendTemplate], logger: Logger, shutdown: ShutdownSignal
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
        of backend: any Backend, templates: [BackendTemplate], _ logger: Logger
    ) async -> BackendReport.Finding? {
        let own = templates.filter { $0.type == backend.traits.type }
        let report = await backend.check(own.compactMap(\.jobs))
        for part in report.findings where !part.isGood && part.isPartial {
            logger.warning("\(part.detail.beginningInUpperCase)")
        }
        guard let problem = report.problem, backend.unavailableReason == nil, !Task.isCancelled else { return nil }
        guard own.contains(where: { backend.traits.bringsInfrastructure($0.template) }) else { return problem }
        logger.warning("\(withoutOwn(problem))")
        return nil
    }
}

extension String {
    /// The text with its first letter in upper case.
    fileprivate var beginningInUpperCase: String { "\(prefix(1).uppercased())\(dropFirst())" }
}
