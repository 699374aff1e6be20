import ArgumentParser
import BackendKit
import FoundationEssentials
import PrefectClient
import PrefectJSON
import WorkerKit

/// `prefect-worker check`: checks everything that a worker needs and reports problems.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check the API, the credentials, the pool, its queues and the backend; status 1 if anything is wrong."
    )

    @ParentCommand var root: RootCommand
    @OptionGroup var common: CommonOptions

    @Option(name: .shortAndLong, help: "The work pool to check.")
    var pool: String?

    @Option(
        name: [.customShort("q"), .long], parsing: .singleValue,
        help: ArgumentHelp("A queue of the pool.", valueName: "queue"))
    var workQueue: [String] = []

    @Option(
        name: .shortAndLong, help: "The type of worker to check. Default: the type of the pool, else process.",
        completion: .list(Backends.types))
    var type: String?

    @Option(help: ArgumentHelp("The Python that runs flows in a process pool.", valueName: "path"), completion: .file())
    var python: String?

    func run() async throws {
        let settings = try common.loadSettings(rootProfile: root.profile)
        let client = try APIClient(settings: settings)
        var findings = settings.warnings.map { BackendReport.Finding(subject: "settings", detail: $0, isGood: true) }
        if let pool { try ServingPlan.checkPoolName(pool, of: "--pool") }
        if let type, Backends.backend(ofType: type) == nil {
            throw Refusal(
                "--type: the worker type '\(type)' is not known; this worker runs: \(Backends.types.joined(separator: ", "))"
            )
        }
        let report = await PoolCheck(
            api: client, pool: pool, type: type, queues: workQueue, supportedTypes: Backends.types
        ).run()
        findings += report.findings
        let found = report.pool
        if let kind = kind(of: found) {
            do {
                let python = python ?? ProcessInfo.processInfo.environment["PREFECT_WORKER_PYTHON"]
                var host = BackendHost(
                    environment: Backends.environment, python: python, settings: settings.integrations)
                host.isForCheck = true
                host.runEnvironment = settings.environmentForJobs(over: host.environment)
                let backend = try kind.make(for: host)
                let isBrought = found.map { kind.traits.bringsInfrastructure(.object($0.baseJobTemplate)) } ?? false
                let jobs = found.flatMap {
                    PoolJobs(
                        of: $0, defaultTemplate: kind.traits.baseJobTemplate, environment: Backends.environment,
                        api: client)
                }
                findings += await backend.check(jobs.map { [$0] } ?? []).findings.map { finding in
                    guard !finding.isGood, !finding.isPartial, isBrought else { return finding }
                    return .init(subject: finding.subject, detail: BackendChecks.withoutOwn(finding), isGood: true)
                }
            } catch {
                findings.append(.init(subject: "\(kind.traits.type) backend", detail: "\(error)", isGood: false))
            }
        }
        let width = findings.map(\.subject.count).max() ?? 0
        let redactor = settings.redactor
        for finding in findings {
            let subject = finding.subject + String(repeating: " ", count: width - finding.subject.count)
            print("\(finding.isGood ? "ok   " : "WRONG")  \(subject)  \(redactor.redact(finding.detail).onOneLine)")
        }
        if findings.contains(where: { !$0.isGood }) { throw ExitCode.failure }
    }

    /// Returns the kind of backend to check. Returns `nil` when no backend serves the type of the pool, which is
    /// already a finding.
    private func kind(of pool: WorkPool?) -> (any Backend.Type)? {
        if let type { return Backends.backend(ofType: type) }
        return pool.map { Backends.backend(ofType: $0.type) } ?? Backends.usual
    }
}
