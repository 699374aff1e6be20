import BackendKit
import JobTemplates
import OrderedCollections
import PrefectJSON
import Synchronization
import TestSupport
import WorkerKit

/// Infrastructure that follows the script of a test and records the calls of the worker.
final class FakeBackend: Backend {
    static var traits: BackendTraits {
        BackendTraits(
            type: "process", workerName: "ProcessWorker", makeBaseJobTemplate: { template }, outlivesWorker: false,
            startsClaimOnce: startsClaimOnce, isDoneOnceStarted: isDoneOnceStarted,
            inheritsEnvironment: inheritsEnvironment,
            holdsSlotUntilEnd: holdsSlotUntilEnd)
    }

    private static let template = PoolTemplate.template(own: [
        "stream_output": PoolTemplate.flag(true, title: "Stream Output", "Whether output is printed."),
        "working_dir": PoolTemplate.optional(["type": "string"], title: "Working Directory", "A directory."),
    ])

    @TaskLocal static var isDoneOnceStarted = false
    @TaskLocal static var startsClaimOnce = false
    @TaskLocal static var inheritsEnvironment = false
    @TaskLocal static var holdsSlotUntilEnd = true

    /// A call of the worker.
    enum Call: Hashable {
        case start(String)
        case wait(String)
        case stop(String, grace: Duration, StopReason)
        case hooks(FlowHook, stateType: String, String)
        case cleanUp(String)
        case adopt(String)
        case remains(String)
    }

    /// The behaviour that a test sets. By default, a flow run continues until it is stopped.
    struct Script: Sendable {
        /// Runs before the infrastructure exists. `start` throws its error.
        var beforeStart: @Sendable (FakeWorkload) async throws -> Void = { _ in }
        /// The exit status of a run that ends immediately; `nil` for a run that continues until
        /// ``FakeBackend/finish(_:_:)``.
        var immediateEnd: @Sendable (FakeWorkload) -> ExitStatus? = { _ in nil }
        /// The exit status of a run that is stopped.
        var statusOfStopped = ExitStatus(code: -15)
        /// Delays a stop until the gate is open or the run has ended by itself. A stop without a grace period is not
        /// delayed.
        var holdStopped: Gate?
        /// The errors of the next calls of `stop`, one for each call. Such a call stops nothing.
        var stopErrors: [InfrastructureError] = []
        /// The error of every call of `wait`.
        var waitError: InfrastructureError?
        /// The errors of the next calls of ``FakeWorkload/recover(_:)``, one for each call.
        var remainsErrors: [InfrastructureError] = []
        /// The reported state of a run's infrastructure; `nil` for its actual state in this backend.
        var remains: @Sendable (String) -> RecoveredInfrastructure? = { _ in nil }
        /// Whether jobs run the flow engine.
        var runsFlowEngine = true
        /// The reason why no run can be started at the moment.
        var unavailableReason: String?
        var problem: @Sendable () -> String? = { nil }
        var problemIsPartial = false
    }

    fileprivate struct Infrastructure {
        let ended = Gate()
        var status: ExitStatus?
    }

    fileprivate struct State {
        var script = Script()
        var calls: [Call] = []
        var startCount = 0
        var releases = 0
        var infrastructure: [String: Infrastructure] = [:]
        var active = 0
        var mostActive = 0
        var contexts: [PreparationContext] = []
    }

    fileprivate let state = Mutex(State())

    init(_ change: (inout Script) -> Void = { _ in }) {
        state.withLock { change(&$0.script) }
    }

    /// Changes the script for all later calls.
    func script(_ change: (inout Script) -> Void) { state.withLock { change(&$0.script) } }

    /// The calls of the worker, in order.
    var calls: [Call] { state.withLock { $0.calls } }

    /// The runs for which the worker called `start`, in order.
    var started: [String] {
        calls.compactMap { if case .start(let run) = $0 { run } else { nil } }
    }

    /// The runs for which the worker called `wait`, in order.
    var watched: [String] {
        calls.compactMap { if case .wait(let run) = $0 { run } else { nil } }
    }

    /// The number of calls of `start`.
    var startCount: Int { state.withLock { $0.startCount } }

    /// The highest number of runs whose infrastructure existed at the same time.
    var mostActive: Int { state.withLock { $0.mostActive } }

    /// The contexts for which configurations were prepared, in order.
    var contexts: [PreparationContext] { state.withLock { $0.contexts } }

    /// Ends the infrastructure of a run.
    func finish(_ run: String, _ status: ExitStatus) {
        let ended = state.withLock { state -> Gate? in
            let id = "fake:\(run)"
            guard state.infrastructure[id] != nil, state.infrastructure[id]?.status == nil else { return nil }
            state.infrastructure[id]?.status = status
            state.active -= 1
            return state.infrastructure[id]?.ended
        }
        ended?.open()
    }

    convenience init(host: BackendHost) { self.init() }

    func workload(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws -> any Workload {
        if let context { state.withLock { $0.contexts.append(context) } }
        return FakeWorkload(
            backend: self, run: run, base: try BaseJobConfiguration(rendered: rendered), context: context,
            runsFlowEngine: state.withLock { $0.script.runsFlowEngine })
    }

    func adopt(_ identifier: InfrastructureIdentifier, flowRunID: String, flowRunName: String) async {
        state.withLock { $0.calls.append(.adopt(flowRunID)) }
    }

    func check(_ pools: [PoolJobs]) async -> BackendReport {
        let (problem, isPartial) = state.withLock { ($0.script.problem, $0.script.problemIsPartial) }
        return BackendReport(
            findings: problem().map { [.init(subject: "fake", detail: $0, isGood: false, isPartial: isPartial)] } ?? [])
    }

    func releaseSpares() async { state.withLock { $0.releases += 1 } }

    /// How often the worker has released what the backend keeps ready for new runs.
    var releases: Int { state.withLock { $0.releases } }

    var unavailableReason: String? { state.withLock { $0.script.unavailableReason } }
}

/// The fake infrastructure of one flow run.
struct FakeWorkload: FlowHookRunner {
    let backend: FakeBackend
    let run: RunContext
    let base: BaseJobConfiguration
    let context: PreparationContext?
    let runsFlowEngine: Bool

    var description: JSONValue { base.json }
    var flowRunID: String { run.flowRunID }
    var reporter: any JobReporter { run.reporter }

    func start() async throws -> InfrastructureIdentifier {
        let script = backend.state.withLock { state in
            state.calls.append(.start(run.flowRunID))
            state.startCount += 1
            return state.script
        }
        try await script.beforeStart(self)
        let id = "fake:\(run.flowRunID)"
        backend.state.withLock { state in
            state.infrastructure[id] = FakeBackend.Infrastructure()
            state.active += 1
            state.mostActive = max(state.mostActive, state.active)
        }
        if let status = script.immediateEnd(self) { backend.finish(run.flowRunID, status) }
        return InfrastructureIdentifier(rawValue: id)
    }

    func wait(
        for identifier: InfrastructureIdentifier
    ) async throws -> ExitStatus {
        let (ended, error) = backend.state.withLock { state in
            state.calls.append(.wait(run.flowRunID))
            return (state.infrastructure[identifier.rawValue]?.ended, state.script.waitError)
        }
        if let error { throw error }
        guard let ended else { throw InfrastructureError(.notFound, "there is no '\(identifier)'") }
        await ended.wait()
        try Task.checkCancellation()
        return backend.state.withLock { $0.infrastructure[identifier.rawValue]?.status } ?? ExitStatus(code: nil)
    }

    func stop(
        _ identifier: InfrastructureIdentifier, grace: Duration, reason: StopReason
    ) async throws {
        let (script, error) = backend.state.withLock { state in
            state.calls.append(.stop(run.flowRunID, grace: grace, reason))
            return (state.script, state.script.stopErrors.isEmpty ? nil : state.script.stopErrors.removeFirst())
        }
        if let error { throw error }
        if grace > .zero, let gate = script.holdStopped {
            let ended = backend.state.withLock { $0.infrastructure[identifier.rawValue]?.ended }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await gate.wait() }
                group.addTask { await ended?.wait() }
                await group.next()
                group.cancelAll()
            }
        }
        try Task.checkCancellation()
        backend.finish(run.flowRunID, script.statusOfStopped)
    }

    func runHooks(
        _ kind: FlowHook, state hookState: JSONValue, of identifier: InfrastructureIdentifier?
    ) async {
        let type = hookState["type"]?.stringValue ?? "none"
        backend.state.withLock { $0.calls.append(.hooks(kind, stateType: type, run.flowRunID)) }
    }

    func cleanUp(_ identifier: InfrastructureIdentifier) async {
        backend.state.withLock { $0.calls.append(.cleanUp(run.flowRunID)) }
    }

    func recover(
        _ identifier: InfrastructureIdentifier?
    ) async throws -> RecoveredInfrastructure {
        let (script, infrastructure, error) = backend.state.withLock { state in
            state.calls.append(.remains(run.flowRunID))
            return (
                state.script, state.infrastructure["fake:\(run.flowRunID)"],
                state.script.remainsErrors.isEmpty ? nil : state.script.remainsErrors.removeFirst()
            )
        }
        if let error { throw error }
        if let remains = script.remains(run.flowRunID) { return remains }
        guard let infrastructure else { return .neverStarted }
        let found = InfrastructureIdentifier(rawValue: "fake:\(run.flowRunID)")
        return infrastructure.status == nil ? .present(found) : .ended(found)
    }
}

extension ExitStatus {
    /// The exit status of a flow's process that has set a state of this type.
    static func reported(_ type: String, code: Int = 0) -> ExitStatus {
        ExitStatus(code: code, conclusion: .stateReported(type: type, name: type.capitalizedName))
    }
}

extension String {
    fileprivate var capitalizedName: String { prefix(1) + dropFirst().lowercased() }
}
