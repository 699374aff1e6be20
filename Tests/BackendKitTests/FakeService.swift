import BackendKit
import BackendKitTesting
import Foundation
import JobTemplates
import Logging
import OrderedCollections
import PrefectClient
import PrefectJSON
import Synchronization

/// The tasks of a fake service. They outlive the processes of the worker.
final class FakeTasks: Sendable {
    struct Item: Sendable, Equatable {
        var code: Int?
        var hasBegun = true
        var owner = ""
    }

    struct State: Sendable {
        var tasks: [String: Item] = [:]
        /// The errors of the next calls of an operation, one for each call. With `true`, the call still has its effect.
        var failures: [String: [(RemoteTaskError, hasEffect: Bool)]] = [:]
        var calls: [String] = []
        /// The sizes of the descriptions.
        var described: [Int] = []
        /// How many calls of `describe` and `find` do not know a new task.
        var blindness = 0
        var output: [UInt8] = []
        var ignoresStop = false
        var hasConsole = false
        /// The claims that were looked up after their creation was cancelled.
        var abandoned: [String] = []
        /// The operations that get no answer and have no effect.
        var unanswered: Set<String> = []
    }

    let state = Mutex(State())

    func fail(_ operation: String, _ errors: (RemoteTaskError, hasEffect: Bool)...) {
        state.withLock { $0.failures[operation, default: []] += errors }
    }

    func end(_ task: String, _ code: Int) { state.withLock { $0.tasks[task]?.code = code } }

    func calls(of operation: String) -> Int { state.withLock { $0.calls.count { $0 == operation } } }

    var names: [String] { state.withLock { $0.tasks.keys.sorted() } }

    /// Runs an operation with the errors of the script.
    fileprivate func run<Result>(_ operation: String, _ body: (inout State) throws -> Result) throws -> Result {
        try state.withLock { state in
            state.calls.append(operation)
            if state.unanswered.contains(operation) {
                throw RemoteTaskError(.unavailable(isUnapplied: true), "slow down", retryAfter: .zero)
            }
            guard state.failures[operation]?.isEmpty == false, let failure = state.failures[operation]?.removeFirst()
            else { return try body(&state) }
            if failure.hasEffect { _ = try body(&state) }
            throw failure.0
        }
    }
}

struct FakeSpecification: RemoteTaskSpecification {
    let place: String
    let base: BaseJobConfiguration
    var streamsOutput = false
    var isKept = false
    var capacityPatience: Duration?

    var description: JSONValue { base.json }
}

struct FakeClient: RemoteTaskClient {
    typealias Specification = FakeSpecification
    typealias Status = FakeTasks.Item

    let name: String
    let tasks: FakeTasks

    static var watchPolicy: WatchPolicy {
        WatchPolicy(batchSize: 100, absences: 3, absencePause: .milliseconds(20)) { _ in .milliseconds(20) }
    }

    static var hookTime: Duration { .milliseconds(200) }

    func create(_ specification: FakeSpecification, for key: RemoteTaskKey) async throws -> String {
        try tasks.run("create") { state in
            let name = "task-\(key.claimID)"
            state.tasks[name, default: FakeTasks.Item()].owner = key.owner
            return name
        }
    }

    func find(_ specification: FakeSpecification, for key: RemoteTaskKey) async throws -> String? {
        guard specification.place != "nowhere" else { throw InfrastructureError(.notReachable, "no place") }
        return try await find(key)
    }

    func find(_ key: RemoteTaskKey) async throws -> String? {
        try tasks.run("find") { state in
            if state.blindness > 0 {
                state.blindness -= 1
                return nil
            }
            if key.isAbandoned { state.abandoned.append(key.claimID) }
            return state.tasks["task-\(key.claimID)"] == nil ? nil : "task-\(key.claimID)"
        }
    }

    func describe(_ names: [String]) async throws -> [String: FakeTasks.Item] {
        try tasks.run("describe") { state in
            state.described.append(names.count)
            if state.blindness > 0 {
                state.blindness -= 1
                return [:]
            }
            return state.tasks.filter { names.contains($0.key) }
        }
    }

    func end(of status: FakeTasks.Item) -> ExitStatus? { status.code.map { ExitStatus(code: $0) } }

    func reasonForWaiting(_ status: FakeTasks.Item) -> String? { status.hasBegun ? nil : "it waits for a machine" }

    func stop(_ task: String, grace: Duration, reason: StopReason) async throws {
        try tasks.run("stop") { state in
            guard state.tasks[task] != nil else { throw RemoteTaskError(.notFound, "no such task") }
            if !state.ignoresStop { state.tasks[task]?.code = 143 }
        }
    }

    func delete(_ task: String) async throws -> Bool {
        try tasks.run("delete") { state in
            guard state.tasks.removeValue(forKey: task) != nil else { throw RemoteTaskError(.notFound, "gone") }
            return false
        }
    }

    func orphans(of owner: String, creating claims: Set<String>) async throws -> [String] {
        try tasks.run("orphans") { state in
            state.tasks.filter { $0.value.owner == owner && $0.value.code != nil }.map(\.key)
        }
    }

    func origin(of orphan: String) -> RemoteTaskOrigin? {
        let claim = String(orphan.dropFirst("task-".count))
        return RemoteTaskOrigin(flowRunID: "run-\(claim)", claimID: claim)
    }

    func output(of task: String, after position: String?) async throws -> RemoteOutput {
        try tasks.run("output") { state in
            let start = position.flatMap { Int($0) } ?? 0
            return RemoteOutput(bytes: Array(state.output.dropFirst(start)), position: String(state.output.count))
        }
    }

    func consoleURL(of task: String) -> String? {
        tasks.state.withLock { $0.hasConsole } ? "https://console/\(task)" : nil
    }

    func task(of identifier: InfrastructureIdentifier) throws -> String {
        guard identifier.rawValue.hasPrefix("task-") else {
            throw InfrastructureError(.notReachable, "'\(identifier)' is elsewhere")
        }
        return identifier.rawValue
    }
}

struct FakeService: RemoteTaskService {
    static let traits = BackendTraits(
        type: "fake", workerName: "FakeWorker", makeBaseJobTemplate: { PoolTemplate.template(own: [:]) })

    let tasks: FakeTasks

    init(_ tasks: FakeTasks) { self.tasks = tasks }

    init(host: BackendHost) throws { self.init(FakeTasks()) }

    func specification(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws -> FakeSpecification {
        FakeSpecification(
            place: rendered["place"]?.stringValue ?? "here", base: try BaseJobConfiguration(rendered: rendered),
            streamsOutput: rendered["stream_output"] == true, isKept: rendered["keep"] == true,
            capacityPatience: rendered["patience"]?.intValue.map { .seconds($0) })
    }

    func client(at place: String) throws -> FakeClient { FakeClient(name: "the service at \(place)", tasks: tasks) }

    func check(_ pools: [PoolJobs]) async -> BackendReport { BackendReport(findings: []) }
}

/// One process of a worker with the fake service.
struct FakeProcess: Sendable {
    let backend: RemoteTaskBackend<FakeService>
    let reporter = RecordingReporter()
    let sink: RecordingSink

    /// A workload; the runs of a test have different claims.
    func workload(_ claim: String = "c1", _ rendered: JSONValue = [:]) throws -> any Workload {
        try backend.workload(
            rendered: rendered,
            for: RunContext(
                flowRunID: "run-\(claim)", flowRunName: "otter", claimID: claim, deploymentID: nil, reporter: reporter),
            preparing: nil)
    }

    static func run<Result: Sendable>(
        _ tasks: FakeTasks, stateDirectory: String? = nil,
        _ body: @Sendable (FakeProcess) async throws -> Result
    ) async throws -> Result {
        let sink = RecordingSink()
        let host = BackendHost(
            environment: [:], settings: IntegrationSettings(environment: [:]), stateDirectory: stateDirectory,
            sink: sink)
        let process = FakeProcess(backend: RemoteTaskBackend(FakeService(tasks), host: host), sink: sink)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await process.backend.run() }
            let result = try await body(process)
            group.cancelAll()
            return result
        }
    }
}
