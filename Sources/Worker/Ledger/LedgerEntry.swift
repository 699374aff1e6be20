public import JSON
internal import OrderedCollections
internal import PrefectAPI

/// What the ledger holds of one flow run in flight: how far it is, and what a later process needs to go on with it.
///
/// Neither the job's configuration nor any secret is among it; these are read from the API again.
public struct LedgerEntry: Sendable, Hashable {
    /// The flow run's id.
    public let flowRunID: String
    /// The flow run's name.
    public var flowRunName: String
    /// The URL of the API that it came from, with its password masked, where only a run that is missing there is known to be deleted.
    public var api: String
    /// The work pool that it came from.
    public var pool: String
    /// The type of the backend that runs it.
    public var workerType: String
    /// How far the run is; written before the act that the stage announces.
    public var stage: RunStage
    /// The transitions by which this worker brings the run forward, by which the API's states tell whose it is.
    public var transitions: RunTransitions
    /// When the run was due that this worker was about to claim; the claim's mark is named after it.
    public var due: Timestamp?
    /// Whether the claim's mark is this worker's, where several workers had a claim accepted.
    public var isSettled: Bool
    /// The run's infrastructure, once there is any.
    public var identifier: InfrastructureIdentifier?
    /// How the infrastructure ended, once it has.
    public var exit: ExitStatus?
    /// How often a process of the worker has died while it was at work on this run alone, the work under way included.
    public var deaths: Int
    /// The work on this run alone that was begun last.
    public var work: RunWork?
    /// When a proposal was last made again that may have reached the API before, so that the API may carry it out late.
    public var doubtfulAt: Timestamp?
    /// When the entry was written last.
    public var written: Timestamp

    /// Whether there is something to be done about the run itself.
    var isInFlight: Bool { stage != .reported }

    /// How many deaths of the process end the attempts at a run.
    static let fatalDeaths = 2

    /// Whether processes have died of the run so often that it is not tried again.
    var isToBeGivenUp: Bool { deaths >= Self.fatalDeaths }

    init(
        flowRunID: String, flowRunName: String, api: String, pool: String, workerType: String, stage: RunStage,
        transitions: RunTransitions, due: Timestamp? = nil, isSettled: Bool = false,
        identifier: InfrastructureIdentifier? = nil, exit: ExitStatus? = nil, deaths: Int = 0, work: RunWork? = nil,
        doubtfulAt: Timestamp? = nil, written: Timestamp = .now
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
        self.doubtfulAt = doubtfulAt
        self.written = written
    }
}

// MARK: - As it is stored

extension LedgerEntry: JSONDecodable {
    public init(json fields: JSONFields) throws(JSONDecodingError) {
        let stage = try fields.string("stage")
        guard let stage = RunStage(rawValue: stage) else {
            throw JSONDecodingError(path: "stage", problem: "'\(stage)' is no stage of a run")
        }
        self.init(
            flowRunID: try fields.string("flow_run_id"), flowRunName: try fields.string("flow_run_name"),
            // An older worker wrote passwords down.
            api: try fields.string("api").maskingURLPassword, pool: try fields.string("pool"),
            workerType: try fields.string("worker_type"), stage: stage,
            transitions: RunTransitions(
                claim: try fields.string("claim"), submission: try fields.string("submission")),
            due: fields.optionalString("due").flatMap { Timestamp($0) },
            isSettled: fields.value("is_settled")?.boolValue ?? false,
            identifier: fields.optionalString("identifier").map {
                InfrastructureIdentifier(rawValue: $0, handle: fields.value("handle") ?? [:])
            },
            exit: fields.value("exit").map(ExitStatus.init(ledger:)),
            // An older worker counts none.
            deaths: min(max(0, fields.value("deaths")?.intValue ?? 0), Self.mostDeaths),
            work: fields.optionalString("work").flatMap(RunWork.init(rawValue:)),
            doubtfulAt: fields.optionalString("doubtful").flatMap { Timestamp($0) },
            written: fields.optionalString("written").flatMap { Timestamp($0) } ?? .now)
    }

    /// The highest count of deaths: more make no difference.
    static let mostDeaths = 100

    /// The entry as it is stored.
    public var json: JSONValue {
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
        if let doubtfulAt { members["doubtful"] = .string(doubtfulAt.apiFormat) }
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
