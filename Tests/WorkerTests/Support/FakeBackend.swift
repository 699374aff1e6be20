import JSON
import JobTemplates
import Synchronization
import TestSupport
import Worker

/// The job configuration of the fake backend: the common fields, and the properties that a test sets.
struct FakeConfiguration: JobConfiguration {
    var base: BaseJobConfiguration
    var runsFlowEngine: Bool
    var context: PreparationContext?

    var json: JSONValue { base.json }
}

/// Infrastructure that follows the script of a test and records the calls of the worker.
final class FakeBackend: InfrastructureBackend {
    typealias Configuration = FakeConfiguration

    static let workerType = "process"
    static let defaultBaseJobTemplate = DefaultTemplates.process()
    @TaskLocal static var isDoneOnceStarted = false
    @TaskLocal static var inheritsEnvironment = false

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
        var beforeStart: @Sendable (Job<FakeConfiguration>) async throws -> Void = { _ in }
        /// The exit status of a run that ends immediately; `nil` for a run that continues until
        /// ``FakeBackend/finish(_:_:)``.
        var immediateEnd: @Sendable (Job<FakeConfiguration>) -> ExitStatus? = { _ in nil }
        /// The exit status of a run that is stopped.
        var statusOfStopped = ExitStatus(code: -15)
        /// Delays a stop until the gate is open or the run has ended by itself. A stop without a grace period is not
        /// delayed.
        var holdStopped: Gate?
        /// The errors of the next calls of `stop`, one for each call. Such a call stops nothing.
        var stopErrors: [InfrastructureError] = []
        /// The error of every call of `wait`.
        var waitError: InfrastructureError?
        /// The errors of the next calls of ``FakeBackend/remains(of:identifier:)``, one for each call.
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

    private struct Infrastructure {
        let ended = Gate()
        var status: ExitStatus?
    }

    private struct State {
        var script = Script()
        var calls: [Call] = []
        var startCount = 0
        var infrastructure: [String: Infrastructure] = [:]
        var active = 0
        var mostActive = 0
        var contexts: [PreparationContext] = []
    }

    private let state = Mutex(State())

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

    func configuration(rendered: JSONValue) throws -> FakeConfiguration {
        FakeConfiguration(
            base: try BaseJobConfiguration(rendered: rendered),
            runsFlowEngine: state.withLock { $0.script.runsFlowEngine })
    }

    func prepare(_ configuration: FakeConfiguration, for context: PreparationContext) throws -> FakeConfiguration {
        state.withLock { $0.contexts.append(context) }
        var prepared = configuration
        prepared.context = context
        return prepared
    }

    func start(_ job: Job<FakeConfiguration>) async throws -> InfrastructureIdentifier {
        let script = state.withLock { state in
            state.calls.append(.start(job.flowRunID))
            state.startCount += 1
            return state.script
        }
        try await script.beforeStart(job)
        let id = "fake:\(job.flowRunID)"
        state.withLock { state in
            state.infrastructure[id] = Infrastructure()
            state.active += 1
            state.mostActive = max(state.mostActive, state.active)
        }
        if let status = script.immediateEnd(job) { finish(job.flowRunID, status) }
        return InfrastructureIdentifier(rawValue: id)
    }

    func wait(
        for identifier: InfrastructureIdentifier, job: Job<FakeConfiguration>
    ) async throws -> ExitStatus {
        let (ended, error) = state.withLock { state in
            state.calls.append(.wait(job.flowRunID))
            return (state.infrastructure[identifier.rawValue]?.ended, state.script.waitError)
        }
        if let error { throw error }
        guard let ended else { throw InfrastructureError(.notFound, "there is no '\(identifier)'") }
        await ended.wait()
        try Task.checkCancellation()
        return state.withLock { $0.infrastructure[identifier.rawValue]?.status } ?? ExitStatus(code: nil)
    }

    func stop(
        _ identifier: InfrastructureIdentifier, job: Job<FakeConfiguration>, grace: Duration, reason: StopReason
    ) async throws {
        let (script, error) = state.withLock { state in
            state.calls.append(.stop(job.flowRunID, grace: grace, reason))
            return (state.script, state.script.stopErrors.isEmpty ? nil : state.script.stopErrors.removeFirst())
        }
        if let error { throw error }
        if grace > .zero, let gate = script.holdStopped {
            let ended = state.withLock { $0.infrastructure[identifier.rawValue]?.ended }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await gate.wait() }
                group.addTask { await ended?.wait() }
                await group.next()
                group.cancelAll()
            }
        }
        try Task.checkCancellation()
        finish(job.flowRunID, script.statusOfStopped)
    }

    func runHooks(
        _ kind: FlowHook, state hookState: JSONValue, of identifier: InfrastructureIdentifier?,
        job: Job<FakeConfiguration>
    ) async {
        let type = hookState["type"]?.stringValue ?? "none"
        state.withLock { $0.calls.append(.hooks(kind, stateType: type, job.flowRunID)) }
    }

    func cleanUp(_ identifier: InfrastructureIdentifier, job: Job<FakeConfiguration>) async {
        state.withLock { $0.calls.append(.cleanUp(job.flowRunID)) }
    }

    func adopt(_ identifier: InfrastructureIdentifier, flowRunID: String, flowRunName: String) async {
        state.withLock { $0.calls.append(.adopt(flowRunID)) }
    }

    func recover(
        _ job: Job<FakeConfiguration>, identifier: InfrastructureIdentifier?
    ) async throws -> RecoveredInfrastructure {
        let (script, infrastructure, error) = state.withLock { state in
            state.calls.append(.remains(job.flowRunID))
            return (
                state.script, state.infrastructure["fake:\(job.flowRunID)"],
                state.script.remainsErrors.isEmpty ? nil : state.script.remainsErrors.removeFirst()
            )
        }
        if let error { throw error }
        if let remains = script.remains(job.flowRunID) { return remains }
        guard let infrastructure else { return .neverStarted }
        let found = InfrastructureIdentifier(rawValue: "fake:\(job.flowRunID)")
        return infrastructure.status == nil ? .present(found) : .ended(found)
    }

    func check() async -> BackendReport {
        let (problem, isPartial) = state.withLock { ($0.script.problem, $0.script.problemIsPartial) }
        return BackendReport(
            findings: problem().map { [.init(subject: "fake", detail: $0, isGood: false, isPartial: isPartial)] } ?? [])
    }

    var unavailableReason: String? { state.withLock { $0.script.unavailableReason } }
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
