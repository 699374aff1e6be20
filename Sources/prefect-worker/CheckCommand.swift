import ArgumentParser
import FoundationEssentials
import PrefectAPI
import ProcessBackend
import Worker

/// `prefect-worker check`: looks at everything that a worker needs and says what is wrong.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check the API, the credentials, the pool, its queues and the backend; status 1 if anything is wrong."
    )

    @ParentCommand var root: PrefectWorker
    @OptionGroup var common: CommonOptions

    @Option(name: .shortAndLong, help: "The work pool to look at.")
    var pool: String?

    @Option(name: .shortAndLong, parsing: .singleValue, help: ArgumentHelp("A queue of the pool.", valueName: "queue"))
    var workQueue: [String] = []

    @Option(help: ArgumentHelp("The Python that runs flows in a process pool.", valueName: "path"))
    var python: String?

    func run() async throws {
        let settings = try common.loadSettings(rootProfile: root.profile)
        let client = try settings.makeClient()
        var findings = settings.warnings.map { BackendReport.Finding(subject: "settings", detail: $0, isGood: true) }
        findings += await PoolCheck(api: client, pool: pool, queues: workQueue, supportedTypes: Backends.types).run()
        do {
            let backend = try Backends.makeProcessBackend(
                python: python ?? ProcessInfo.processInfo.environment["PREFECT_WORKER_PYTHON"])
            findings += await backend.check().findings
        } catch {
            findings.append(.init(subject: "process backend", detail: "\(error)", isGood: false))
        }
        let width = findings.map(\.subject.count).max() ?? 0
        let redactor = settings.redactor
        for finding in findings {
            let subject = finding.subject + String(repeating: " ", count: width - finding.subject.count)
            print("\(finding.isGood ? "ok   " : "WRONG")  \(subject)  \(redactor.redact(finding.detail))")
        }
        if findings.contains(where: { !$0.isGood }) { throw ExitCode.failure }
    }
}
