import FoundationEssentials
import JobTemplates
import Logging
import ProcessBackend
import Worker

/// The backends that this program is built with.
enum Backends {
    /// The types of pools that can be served.
    static let types = [ProcessBackend.workerType]

    /// The default base job template of a type of pool.
    static func defaultTemplate(ofType type: String) -> BaseJobTemplate? {
        type == ProcessBackend.workerType ? ProcessBackend.defaultBaseJobTemplate : nil
    }

    static func makeProcessBackend(python: String?) throws -> ProcessBackend {
        try ProcessBackend(
            options: .init(
                interpreter: python, environment: ProcessInfo.processInfo.environment, checkTimeLimit: .seconds(60)))
    }

    /// Says, while the worker is already at work, what is wrong with its infrastructure; a worker that could run
    /// nothing leaves.
    static func check(_ backend: ProcessBackend, logger: Logger, shutdown: ShutdownSignal) async throws {
        let report = await backend.check()
        guard let problem = report.findings.first(where: { !$0.isGood }) else { return }
        shutdown.advance(to: .stopping)
        throw Refusal(problem.detail)
    }
}
