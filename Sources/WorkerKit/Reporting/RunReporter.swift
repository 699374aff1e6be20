internal import BackendKit
internal import FoundationEssentials
internal import Logging
internal import PrefectClient
internal import PrefectJSON
internal import Synchronization

/// Reports about one flow run: in its log at the API, in the worker's own log, and as events.
final class RunReporter: JobReporter {
    private let flowRunID: String
    private let flowRunName: String
    private let services: WorkerServices
    private let workerID: String?
    private let unreportedRuns: UnreportedRuns?
    private let state = Mutex(State())

    /// The secrets that the run's blocks added to its configuration.
    let secrets = RevealedSecrets()

    private struct State {
        var related: @Sendable () -> [JSONValue] = { [] }
        var previous: [String: EventCreate] = [:]
        /// The transitions into `InfrastructurePending` that this reporter has proposed.
        var pendingReports: Set<String> = []
    }

    /// The logger under which the API shows the worker's lines in a run's log.
    private static let apiLogger = "prefect.flow_runs.worker"

    /// Makes a reporter.
    ///
    /// - Parameter unreportedRuns: For a run of another worker: asked before the run's own status is read.
    init(flowRun: KnownRun, services: WorkerServices, workerID: String?, unreportedRuns: UnreportedRuns? = nil) {
        flowRunID = flowRun.id
        flowRunName = flowRun.name
        self.services = services
        self.workerID = workerID
        self.unreportedRuns = unreportedRuns
    }

    /// Sets how the resources are made that are related to the events of the run's infrastructure.
    func setRelated(_ related: @escaping @Sendable () -> [JSONValue]) { state.withLock { $0.related = related } }

    /// Removes the worker's secrets and those of the run's blocks from a text.
    func redact(_ text: String) -> String { secrets.redacting(services.redact(text)) }

    func log(_ level: RunLogLevel, _ message: String) {
        let message = redact(message)
        services.logger(ofRun: flowRunID, named: flowRunName).log(level: level.loggerLevel, "\(message)")
        add(level, message)
    }

    func logAtAPI(_ level: RunLogLevel, _ message: String) { add(level, redact(message)) }

    private func add(_ level: RunLogLevel, _ message: String) {
        // The level of the worker's own log also applies to the API's log, as it does for Prefect's loggers.
        guard level.loggerLevel >= services.logger.logLevel else { return }
        services.logs.add(
            LogRecord(
                logger: Self.apiLogger, level: level.rawValue, message: message, flowRunID: flowRunID,
                workerID: workerID))
    }

    func emit(event name: String, resource: JSONValue, payload: JSONValue) {
        emit(name, resource, payload, id: nil, occurred: nil)
    }

    func emit(event name: String, resource: JSONValue, payload: JSONValue, id: String, occurred: Timestamp?) {
        emit(name, resource, payload, id: id, occurred: occurred)
    }

    private func emit(_ name: String, _ resource: JSONValue, _ payload: JSONValue, id: String?, occurred: Timestamp?) {
        let subject = resource["prefect.resource.id"]?.stringValue ?? ""
        let event = state.withLock { state in
            let event = EventCreate(
                name: name, resource: resource, related: state.related(), payload: payload,
                following: state.previous[subject], occurred: occurred ?? .now, id: id)
            state.previous[subject] = event.predecessor
            return event
        }
        services.events.add(event)
    }

    func reportPending(_ message: String) async -> Bool {
        do {
            if let unreportedRuns, state.withLock({ $0.pendingReports.isEmpty }),
                try await !unreportedRuns.contains(UUID(id: flowRunID))
            {
                return true
            }
            let run = KnownRun(try await services.api.readFlowRun(id: UUID(id: flowRunID), effort: .once))
            // The proposal is only for a run that waits for its infrastructure. It must not claim a run that was
            // rescheduled.
            guard run.stateType == .pending else { return true }
            if run.stateName == StateCreate.infrastructurePending {
                let isOwn = state.withLock { state in run.transitionID.map(state.pendingReports.contains) == true }
                guard isOwn else { return true }
            } else {
                let transition = APIClient.newTransitionID()
                state.withLock { _ = $0.pendingReports.insert(transition) }
                let proposal = StateCreate(
                    type: .pending, name: StateCreate.infrastructurePending, message: redact(message))
                let outcome = try await services.api.propose(
                    proposal, forFlowRun: UUID(id: flowRunID), transitionID: transition, effort: .once)
                guard case .accepted = outcome else { return true }
            }
            // A busy API takes seconds to carry out the report, and accepts it over the end of the run. The run would seem
            // to wait for ever.
            let reports = state.withLock { $0.pendingReports }
            try await restoreState(overwrittenBy: reports.contains)
            return true
        } catch {
            return (error as? APIError)?.isTransient == false
        }
    }

    /// Restores the state of a run that some transitions have overwritten late, if they have.
    func restoreState(overwrittenBy isOwn: (String) -> Bool) async throws {
        let id = try UUID(id: flowRunID)
        guard let state = try await services.api.readFlowRunStates(flowRunID: id).overwritten(by: isOwn) else { return }
        log(
            .info,
            "Flow run '\(flowRunID)' was '\(state.shownName)' before the API carried out a late proposal: restoring it")
        _ = try await services.api.propose(StateCreate(state), forFlowRun: id, force: true)
    }
}

extension [PrefectClient.State] {
    /// The state that some transitions have overwritten late: a final state, or a later schedule. `nil` when they have
    /// overwritten no such state.
    func overwritten(by isOwn: (String) -> Bool) -> PrefectClient.State? {
        let others = filter { $0.transitionID.map(isOwn) != true }
        let own = filter { $0.transitionID.map(isOwn) == true }
        guard let last = others.max(by: { $0.timestamp < $1.timestamp }) else { return nil }
        if last.isFinal { return last }
        let first = own.min { $0.timestamp < $1.timestamp }
        return last.type == .scheduled && first.map { $0.timestamp < last.timestamp } == true ? last : nil
    }
}

extension RunLogLevel {
    fileprivate var loggerLevel: Logger.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        }
    }
}
