internal import FoundationEssentials
internal import HTTPTransport
package import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Reads a flow run: `GET /flow_runs/{id}`. The API answers 404 when the run was deleted.
    public func readFlowRun(id: String, effort: RetryPolicy.Effort = .standard) async throws -> WorkerFlowRun {
        try await send(APIRequest(.get, ["flow_runs", .id(id)]), effort: effort).decode()
    }

    /// Reads all states that a flow run had: `GET /flow_run_states/`. The list is empty when the run was deleted.
    public func readStates(ofFlowRun id: String, effort: RetryPolicy.Effort = .standard) async throws
        -> [RecordedState]
    {
        let request = APIRequest(.get, ["flow_run_states", ""], query: [("flow_run_id", id)])
        let rows = try await json(request, effort: effort).arrayValue ?? []
        return rows.compactMap { try? RecordedState(json: JSONFields($0)) }
    }

    /// Creates an id by which the API recognises a repeated proposal.
    public static func newTransitionID() -> String { UUID().uuidString.lowercased() }

    /// Proposes a state: `POST /flow_runs/{id}/set_state`.
    ///
    /// When the API answers `WAIT`, the call waits as requested and proposes again. An attempt may have been applied
    /// although its answer was lost. The call then checks a refusal of the repeated proposal against the run itself, so
    /// that it does not mistake its own success for another's.
    ///
    /// - Parameter onDoubt: Called when an attempt had no answer from the API itself. The API may still apply the
    ///   attempt after this call has returned or thrown.
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
                    .unreadable, operation: answer.operation, detail: "the answer has no outcome of the proposal",
                    mayHaveBeenApplied: true)
            }
        }
    }

    /// Records the identifier of the infrastructure that runs a flow run: `PATCH /flow_runs/{id}`.
    package func setInfrastructurePID(
        _ identifier: String, ofFlowRun id: String, effort: RetryPolicy.Effort = .standard
    ) async throws {
        let body: JSONValue = ["infrastructure_pid": .string(identifier)]
        _ = try await send(APIRequest(.patch, ["flow_runs", .id(id)], body: body), effort: effort)
    }

    /// Adds labels to a flow run: `PATCH /flow_runs/{id}/labels`.
    package func addLabels(
        _ labels: OrderedDictionary<String, String>, toFlowRun id: String,
        effort: RetryPolicy.Effort = .standard
    ) async throws {
        let body = JSONValue.object(labels.mapValues(JSONValue.string))
        _ = try await send(APIRequest(.patch, ["flow_runs", .id(id), "labels"], body: body), effort: effort)
    }

    /// Reads which of these runs are in a state of a type, such as `CANCELLING`: `POST /flow_runs/filter`. Deleted
    /// runs, and runs that are too large to be read, are omitted.
    public func flowRuns(among ids: [String], inState type: String) async throws -> [WorkerFlowRun] {
        try await flowRuns(among: ids, inStates: [type], effort: .once)
    }

    /// Reads which of these runs are in a state of one of several types, like ``flowRuns(among:inState:)``.
    public func flowRuns(
        among ids: [String], inStates types: [String], effort: RetryPolicy.Effort
    ) async throws -> [WorkerFlowRun] {
        var found: [WorkerFlowRun] = []
        // The route returns at most 200 rows. An answer with runs of long parameters is readable only with fewer rows.
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
            found += (rows.arrayValue ?? []).compactMap { try? WorkerFlowRun(json: JSONFields($0)) }
        }
        return found
    }
}

extension APIClient {
    /// Writes an input of a flow run under a name that nobody has used: `POST /flow_runs/{id}/input`. The API accepts
    /// each name only once. Returns whether the input has this value, even when an earlier attempt or an earlier
    /// process wrote it.
    package func writeUniqueInput(
        named name: String, value: String, ofFlowRun id: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> Bool {
        // The value is JSON: the API returns the input as written, and the client accepts only a readable body as the
        // API's answer.
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
