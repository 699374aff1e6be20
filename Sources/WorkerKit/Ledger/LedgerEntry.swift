package import BackendKit
internal import OrderedCollections
internal import PrefectClient
package import PrefectJSON

/// The ledger's record of one flow run in flight: its stage, and the data that a later process needs to resume it.
///
/// An entry contains neither the job's configuration nor a secret; a later process reads these from the API again.
package struct LedgerEntry: Sendable, Hashable {
    /// The flow run's id.
    package let flowRunID: String
    /// The flow run's name.
    package var flowRunName: String
    /// The URL of the API that the run came from, with its password masked. Only a run that is missing at this API is
    /// known to be deleted.
    package var api: String
    /// The work pool that the run came from.
    package var pool: String
    /// The type of the backend that runs it.
    package var workerType: String
    /// The run's stage, written before the action that the stage announces.
    package var stage: RunStage
    /// The transitions by which this worker advances the run. The API's states carry their ids, which identify the
    /// worker that has the run.
    package var transitions: ClaimIDs
    /// The due time of the run that this worker was about to claim. The name of the claim's mark contains it.
    package var due: Timestamp?
    /// Whether the claim's mark belongs to this worker, where the API accepted the claims of several workers.
    package var isSettled: Bool
    /// The run's infrastructure, once it exists.
    package var identifier: InfrastructureIdentifier?
    /// The exit status of the infrastructure, once it has ended.
    package var exit: ExitStatus?
    /// The number of times that a process of the worker died during work on this run alone. Work in progress counts as
    /// one.
    package var deaths: Int
    /// The work on this run alone that the worker began last.
    package var work: RunWork?
    /// The time at which the worker last repeated a proposal that may have reached the API before. The API may carry
    /// out such a proposal late.
    package var uncertainSince: Timestamp?
    /// The time at which the entry was last written.
    package var written: Timestamp

    /// Whether the run itself still needs work.
    var isInFlight: Bool { stage != .reported }

    /// How many deaths of the process end the attempts at a run.
    static let fatalDeaths = 2

    /// Whether processes have died of the run so often that it is not tried again.
    var isToBeGivenUp: Bool { deaths >= Self.fatalDeaths }

    init(
        flowRunID: String, flowRunName: String, api: String, pool: String, workerType: String, stage: RunStage,
        transitions: ClaimIDs, due: Timestamp? = nil, isSettled: Bool = false,
        identifier: InfrastructureIdentifier? = nil, exit: ExitStatus? = nil, deaths: Int = 0, work: RunWork? = nil,
        uncertainSince: Timestamp? = nil, written: Timestamp = .now
    ) {
        self.flowRunID = flowRunID
        self.flowRunName = flowRunName
        self.api = api
        self.pool = pool
        self.workerType = workerType
        self.stage = stage
        self.transitions = transitions
        self.due = due
        self.isSettled = isSettled
        self.identifier = identifier
        self.exit = exit
        self.deaths = deaths
        self.work = work
        self.uncertainSince = uncertainSince
        self.written = written
    }
}

// MARK: - Stored form

extension LedgerEntry: JSONDecodable {
    package init(json fields: JSONFields) throws(JSONDecodingError) {
        let stage = try fields.string("stage")
        guard let stage = RunStage(rawValue: stage) else {
            throw JSONDecodingError(path: "stage", problem: "'\(stage)' is not a stage of a run")
        }
        self.init(
            flowRunID: try fields.string("flow_run_id"), flowRunName: try fields.string("flow_run_name"),
            // An older version of the worker stored passwords.
            api: try fields.string("api").maskingURLPassword, pool: try fields.string("pool"),
            workerType: try fields.string("worker_type"), stage: stage,
            transitions: ClaimIDs(
                claim: try fields.string("claim"), submission: try fields.string("submission")),
            due: fields.optionalString("due").flatMap { Timestamp($0) },
            isSettled: fields.value("is_settled")?.boolValue ?? false,
            identifier: fields.optionalString("identifier").map {
                InfrastructureIdentifier(rawValue: $0, handle: fields.value("handle") ?? [:])
            },
            exit: fields.value("exit").map(ExitStatus.init(ledger:)),
            // An older version of the worker stores no count.
            deaths: min(max(0, fields.value("deaths")?.intValue ?? 0), Self.mostDeaths),
            work: fields.optionalString("work").flatMap(RunWork.init(rawValue:)),
            uncertainSince: fields.optionalString("doubtful").flatMap { Timestamp($0) },
            written: fields.optionalString("written").flatMap { Timestamp($0) } ?? .now)
    }

    /// The highest count of deaths; further deaths make no difference.
    static let mostDeaths = 100

    /// The entry in its stored form.
    package var json: JSONValue {
        var members: OrderedDictionary<String, JSONValue> = [
            "flow_run_id": .string(flowRunID), "flow_run_name": .string(flowRunName), "api": .string(api),
            "pool": .string(pool), "worker_type": .string(workerType), "stage": .string(stage.rawValue),
            "claim": .string(transitions.claim), "submission": .string(transitions.submission),
            "is_settled": .bool(isSettled), "written": .string(written.apiFormat),
        ]
        if let due { members["due"] = .string(due.apiFormat) }
        if let identifier {
            members["identifier"] = .string(identifier.rawValue)
            members["handle"] = identifier.handle
        }
        if let exit { members["exit"] = exit.ledger }
        if deaths > 0 { members["deaths"] = .int(deaths) }
        if let work { members["work"] = .string(work.rawValue) }
        if let uncertainSince { members["doubtful"] = .string(uncertainSince.apiFormat) }
        return .object(members)
    }
}

extension ExitStatus {
    fileprivate init(ledger json: JSONValue) {
        let conclusion: Conclusion? =
            switch json["conclusion"]?.stringValue {
            case "aborted": .abortedByAPI
            case "reported":
                .stateReported(
                    type: json["state_type"]?.stringValue ?? "", name: json["state_name"]?.stringValue ?? "")
            default: nil
            }
        self.init(
            code: json["code"]?.intValue, conclusion: conclusion, lastOutput: json["last_output"]?.stringValue,
            reason: json["reason"]?.stringValue)
    }

    fileprivate var ledger: JSONValue {
        var members: OrderedDictionary<String, JSONValue> = [:]
        if let code { members["code"] = .int(code) }
        if let lastOutput { members["last_output"] = .string(lastOutput) }
        if let reason { members["reason"] = .string(reason) }
        switch conclusion {
        case .abortedByAPI: members["conclusion"] = "aborted"
        case .stateReported(let type, let name):
            members["conclusion"] = "reported"
            members["state_type"] = .string(type)
            members["state_name"] = .string(name)
        case nil: break
        }
        return .object(members)
    }
}
