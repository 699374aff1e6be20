internal import BackendKit
internal import FoundationEssentials
internal import JobTemplates
internal import OrderedCollections
internal import PrefectConcurrency
internal import PrefectJSON

/// A flow run of the suite.
struct ConformanceRun: Sendable {
    let id = UUID().uuidString.lowercased()
    let claimID = UUID().uuidString.lowercased()
    var name: String { "conformance-\(id.prefix(8))" }
}

/// One process of the worker under test: a backend that runs.
struct ConformanceBench: Sendable {
    let subject: any ConformanceSubject
    let backend: any Backend
    let sink: RecordingSink

    /// Makes a backend, runs it while `body` runs, and ends it as the end of the process would.
    static func run<Result: Sendable>(
        _ subject: any ConformanceSubject, _ body: @Sendable (ConformanceBench) async throws -> Result
    ) async throws -> Result {
        var host = subject.host
        let sink = RecordingSink()
        host.sink = sink
        let backend = try subject.backend.make(for: host)
        let bench = ConformanceBench(subject: subject, backend: backend, sink: sink)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await backend.run() }
            let result = try await body(bench)
            group.cancelAll()
            return result
        }
    }

    /// The workload of a run with a shell script, from the backend's own template.
    func workload(
        _ script: String, arguments: [String] = [], variables: JSONValue = [:],
        of run: ConformanceRun = ConformanceRun()
    ) async throws -> any Workload {
        let words = (["sh", "-c", script, "sh"] + arguments).map { word in
            "'" + word.replacing("'", with: #"'"'"'"#) + "'"
        }
        var job = subject.jobVariables
        for (key, value) in variables.objectValue ?? [:] { job[key] = value }
        job["command"] = job["command"] ?? .string(words.joined(separator: " "))
        let renderer = JobRenderer(
            template: subject.backend.traits.baseJobTemplate, environment: subject.host.environment,
            references: NoBlocks())
        let inherited = subject.backend.traits.inheritsEnvironment ? subject.host.environment : [:]
        return try backend.workload(
            rendered: try await renderer.render(jobVariables: job),
            for: RunContext(
                flowRunID: run.id, flowRunName: run.name, claimID: run.claimID, deploymentID: nil,
                reporter: SilentReporter()),
            preparing: PreparationContext(
                flowRun: ["id": .string(run.id), "name": .string(run.name)],
                flow: ["id": .string(UUID().uuidString.lowercased()), "name": "conformance"],
                workPool: .init(id: UUID().uuidString.lowercased(), name: "conformance"), workerName: "conformance",
                environment: inherited))
    }

    /// Starts a run, and stops and removes it at the end of `body`.
    func started(
        _ script: String, arguments: [String] = [], variables: JSONValue = [:],
        _ body: (any Workload, InfrastructureIdentifier) async throws -> Void
    ) async throws {
        let workload = try await workload(script, arguments: arguments, variables: variables)
        let identifier = try await within("the start") { try await workload.start() }
        do {
            try await body(workload, identifier)
        } catch {
            try? await answered("the stop") {
                try await workload.stop(identifier, grace: .zero, reason: .shutdown)
                await workload.cleanUp(identifier)
            }
            throw error
        }
        await workload.cleanUp(identifier)
    }

    /// The exit status of a run. A run that does not exist any more has an unknown status.
    func end(of workload: any Workload, _ identifier: InfrastructureIdentifier) async throws -> ExitStatus {
        do {
            return try await within("the end of the run") { try await workload.wait(for: identifier) }
        } catch let error as InfrastructureError where error.kind == .notFound {
            return ExitStatus(code: nil)
        }
    }

    /// Runs a step within the time limit. As the worker does, it repeats the step while the infrastructure gives no
    /// answer.
    func answered<Result: Sendable>(
        _ step: String, _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await within(step) {
            while true {
                do {
                    return try await body()
                } catch let error as InfrastructureError where error.kind == .unavailable {
                    try await Task.sleep(for: .milliseconds(500))
                }
            }
        }
    }

    /// Runs a step within the time limit.
    func within<Result: Sendable>(
        _ step: String, _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        do {
            return try await withDeadline(subject.expectations.timeLimit, for: step, body)
        } catch let error as DeadlineExceeded {
            throw ConformanceFailure(error.description)
        }
    }
}

/// The subject of one case, with a state directory of its own: each case is another worker.
struct CaseSubject: ConformanceSubject {
    let backend: any Backend.Type
    let host: BackendHost
    let jobVariables: JSONValue
    let expectations: ConformanceExpectations

    init(_ subject: any ConformanceSubject, _ name: String) throws {
        backend = subject.backend
        jobVariables = subject.jobVariables
        expectations = subject.expectations
        var host = subject.host
        host.stateDirectory = host.stateDirectory.map { "\($0)/\(name)" }
        if let directory = host.stateDirectory {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        self.host = host
    }
}

/// References of a server that has no blocks and no variables.
private struct NoBlocks: TemplateReferences {
    func blockDocument(id: String) async throws -> JSONValue { throw ReferenceNotFound() }
    func blockDocument(typeSlug: String, name: String) async throws -> JSONValue { throw ReferenceNotFound() }
    func variable(named name: String) async throws -> JSONValue? { nil }
}
