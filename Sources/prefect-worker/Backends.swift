import FoundationEssentials
import JobTemplates
import Logging
import ProcessBackend
import Systemd
import Worker

/// The backends that this program is built with.
enum Backends {
    /// The types of pools that can be served.
    static let types = [ProcessBackend.workerType]

    /// The default base job template of a type of pool.
    static func defaultTemplate(ofType type: String) -> BaseJobTemplate? {
        type == ProcessBackend.workerType ? ProcessBackend.defaultBaseJobTemplate : nil
    }

    /// The process backend; the private directories of runs are in the worker's state directory, where it has one.
    static func makeProcessBackend(python: String?, stateDirectory: String? = nil) throws -> ProcessBackend {
        try ProcessBackend(
            options: .init(
                interpreter: python, environment: environment, runDirectories: stateDirectory.map { "\($0)/runs" },
                ownsRunDirectories: stateDirectory != nil, checkTimeLimit: .seconds(60)))
    }

    /// The worker's environment as far as others may have it.
    static var environment: [String: String] {
        ProcessInfo.processInfo.environment.filter { !ServiceManager.ownVariables.contains($0.key) }
    }

    /// How many process runs there can be at a time with so many open files: each takes its pidfd, its two output files
    /// and its control session, and a few more while it is started.
    static func processRuns(openFiles: Int) -> Int { max(1, (openFiles - 128) / 6) }

    /// Says, while the worker is already at work, what is wrong with its infrastructure; a worker that could run
    /// nothing leaves.
    static func check(
        _ backend: ProcessBackend, logger: Logger, shutdown: ShutdownSignal, pools: [Live<ServedPool>]
    ) async throws {
        let report = await backend.check()
        guard let problem = report.findings.first(where: { !$0.isGood }) else { return }
        // The runs that an earlier process has left are none the worse for it.
        for pool in pools { pool.update { $0.leavesRunsOnExit = true } }
        shutdown.advance(to: .draining)
        throw Refusal(problem.detail)
    }
}
