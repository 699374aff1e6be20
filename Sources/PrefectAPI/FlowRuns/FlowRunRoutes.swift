internal import FoundationEssentials
internal import HTTPTransport
internal import JSON
public import OrderedCollections

extension APIClient {
    /// Reads a flow run: `GET /flow_runs/{id}`. 404 when it was deleted.
    public func readFlowRun(id: String, effort: RetryPolicy.Effort = .standard) async throws -> FlowRun {
        try await send(APIRequest(.get, ["flow_runs", .id(id)]), effort: effort).decode()
    }

    /// All states that a flow run had: `GET /flow_run_states/`. Empty when the run was deleted.
    public func readStates(ofFlowRun id: String, effort: RetryPolicy.Effort = .standard) async throws
        -> [RecordedState]
    {
        let request = APIRequest(.get, ["flow_run_states", ""], query: [("flow_run_id", id)])
        let rows = try await json(request, effort: effort).arrayValue ?? []
        return rows.compactMap { try? RecordedState(json: JSONFields($0)) }
    }

    /// An id by which the API recognises a proposal that it gets twice.
    public static func newTransitionID() -> String { UUID().uuidString.lowercased() }

    /// Proposes a state: `POST /flow_runs/{id}/set_state`.
    ///
    /// Waits as the API asks (`WAIT`) and proposes again. When an attempt may have been applied although its answer
    /// was lost, a refusal of the repeated one is checked against the run itself, so that our own success is not taken
    /// for somebody else's.
    ///
    /// - Parameter onDoubt: Is called when an attempt had no answer of the API's own: it may be carried out yet, after this
    ///   call has returned or thrown.
    public func propose(
        _ proposal: StateProposal, forFlowRun id: String, force: Bool = false,
        transitionID: String = newTransitionID(), effort: RetryPolicy.Effort = .standard,
        onDoubt: @Sendable () -> Void = {}
    ) async throws -> ProposalOutcome {
        while true {
            let body: JSONValue = [
                "state": proposal.json(flowRunID: id, transitionID: transitionID), "force": .bool(force),
            ]
            let answer: APIAnswer
            do {
                answer = try await send(
                    APIRequest(.post, ["flow_runs", .id(id), "set_state"], body: body), effort: effort)
            } catch let error as APIError {
                if error.mayHaveBeenApplied { onDoubt() }
                throw error
            }
            if answer.mayBeFollowedByItself { onDoubt() }
            let json = try answer.json()
            let details = json["details"]
            let reason = details?["reason"]?.stringValue?.explanation ?? "no reason given"
            let state = json["state"] ?? .null
            switch json["status"]?.stringValue {
            case "ACCEPT":
                return .accepted(state: state)
            case "WAIT":
                let seconds = details?["delay_seconds"]?.doubleValue ?? 1
                try await pause(.pause(seconds: seconds, in: 0.1...3600))
            case "REJECT", "ABORT":
                if state["state_details"]?["transition_id"]?.stringValue == transitionID {
                    return .accepted(state: state)
                }
                if answer.wasRepeated,
                    let current = try await readFlowRun(id: id, effort: effort).state,
                    current["state_details"]?["transition_id"]?.stringValue == transitionID
                {
                    return .accepted(state: current)
                }
                return json["status"]?.stringValue == "ABORT"
                    ? .aborted(reason: reason) : .rejected(state: state, reason: reason)
            default:
                throw APIError(
                    .unreadable, operation: answer.operation, detail: "the answer names no outcome of the proposal",
                    mayHaveBeenApplied: true)
            }
        }
    }

    /// Records what runs a flow run: `PATCH /flow_runs/{id}`.
    public func setInfrastructurePID(
        _ identifier: String, ofFlowRun id: String, effort: RetryPolicy.Effort = .standard
    ) async throws {
        let body: JSONValue = ["infrastructure_pid": .string(identifier)]
        _ = try await send(APIRequest(.patch, ["flow_runs", .id(id)], body: body), effort: effort)
    }

    /// Adds labels to a flow run: `PATCH /flow_runs/{id}/labels`.
    public func addLabels(
        _ labels: OrderedDictionary<String, String>, toFlowRun id: String,
        effort: RetryPolicy.Effort = .standard
    ) async throws {
        let body = JSONValue.object(labels.mapValues(JSONValue.string))
        _ = try await send(APIRequest(.patch, ["flow_runs", .id(id), "labels"], body: body), effort: effort)
    }

    /// Which of these runs are in a state of a type, like `CANCELLING`: `POST /flow_runs/filter`. Deleted ones are not, and
    /// those that are too large to be read are left out.
    public func flowRuns(among ids: [String], inState type: String) async throws -> [FlowRun] {
        try await flowRuns(among: ids, inStates: [type], effort: .once)
    }

    /// The same for a state of one of several types.
    public func flowRuns(
        among ids: [String], inStates types: [String], effort: RetryPolicy.Effort
    ) async throws -> [FlowRun] {
        var found: [FlowRun] = []
        // The route returns 200 rows at most; of runs with long parameters fewer make an answer that can be read.
        var parts = stride(from: 0, to: ids.count, by: 200).reversed().map { ids[$0..<min($0 + 200, ids.count)] }
        while let part = parts.popLast() {
            let body: JSONValue = [
                "flow_runs": [
                    "id": ["any_": .array(part.map(JSONValue.string))],
                    "state": ["type": ["any_": .array(types.map(JSONValue.string))]],
                ]
            ]
            let rows: JSONValue
            do {
                rows = try await json(APIRequest(.post, ["flow_runs", "filter"], body: body), effort: effort)
            } catch let error as APIError where error.isTooLarge && part.count > 1 {
                let middle = part.startIndex + part.count / 2
                parts += [part[middle...], part[..<middle]]
                continue
            } catch let error as APIError where error.isTooLarge {
                continue
            }
            found += (rows.arrayValue ?? []).compactMap { try? FlowRun(json: JSONFields($0)) }
        }
        return found
    }
}

extension APIClient {
    /// Writes a flow run's input of a name that nobody has used: `POST /flow_runs/{id}/input`, which the API takes only
    /// once for each name. Returns whether the input is this value, also when an earlier attempt, or an earlier process,
    /// wrote it.
    public func writeUniqueInput(
        named name: String, value: String, ofFlowRun id: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> Bool {
        // As JSON: the API gives the input back as it was written, and only what can be read is taken for its answer.
        let body: JSONValue = ["key": .string(name), "value": .string(JSONValue.string(value).serialized())]
        do {
            _ = try await send(APIRequest(.post, ["flow_runs", .id(id), "input"], body: body), effort: effort)
            return true
        } catch let error as APIError where error.status == 409 {
            let answer = try await send(APIRequest(.get, ["flow_runs", .id(id), "input", .name(name)]), effort: effort)
            return try answer.json().stringValue == value
        }
    }
}
