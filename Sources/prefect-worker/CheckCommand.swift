import ArgumentParser
import FoundationEssentials
import PrefectAPI
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

    @Option(
        name: [.customShort("q"), .long], parsing: .singleValue,
        help: ArgumentHelp("A queue of the pool.", valueName: "queue"))
    var workQueue: [String] = []

    @Option(name: .shortAndLong, help: "The type of worker to look at; the pool's own type if not given, else process.")
    var type: String?

    @Option(help: ArgumentHelp("The Python that runs flows in a process pool.", valueName: "path"))
    var python: String?

    func run() async throws {
        let settings = try common.loadSettings(rootProfile: root.profile)
        let client = try settings.makeClient()
        var findings = settings.warnings.map { BackendReport.Finding(subject: "settings", detail: $0, isGood: true) }
        findings += await PoolCheck(api: client, pool: pool, queues: workQueue, supportedTypes: Backends.types).run()
        var found: WorkPool?
        if let pool { found = try? await client.readWorkPool(named: pool, effort: .once) }
        if let kind = try kind(of: found) {
            do {
                let python = python ?? ProcessInfo.processInfo.environment["PREFECT_WORKER_PYTHON"]
                let backend = try kind.make(.init(python: python, settings: settings.integrations))
                let isBrought = found.map { Backends.brings($0.baseJobTemplate, what: backend) } ?? false
                findings += await backend.check().findings.map { finding in
                    guard !finding.isGood, isBrought else { return finding }
                    return .init(subject: finding.subject, detail: Backends.withoutOwn(finding), isGood: true)
                }
            } catch {
                findings.append(.init(subject: "\(kind.type) backend", detail: "\(error)", isGood: false))
            }
        }
        let width = findings.map(\.subject.count).max() ?? 0
        let redactor = settings.redactor
        for finding in findings {
            let subject = finding.subject + String(repeating: " ", count: width - finding.subject.count)
            print("\(finding.isGood ? "ok   " : "WRONG")  \(subject)  \(redactor.redact(finding.detail))")
        }
        if findings.contains(where: { !$0.isGood }) { throw ExitCode.failure }
    }

    /// The kind of backend to look at; `nil` when the pool is of a type that there is none for, which is a finding already.
    private func kind(of pool: WorkPool?) throws -> BackendKind? {
        if let type {
            guard let kind = Backends.kind(ofType: type) else {
                throw Refusal(
                    "The worker type '\(type)' is not known; this worker runs: \(Backends.types.joined(separator: ", "))"
                )
            }
            return kind
        }
        return pool.map { Backends.kind(ofType: $0.type) } ?? Backends.process
    }
}
