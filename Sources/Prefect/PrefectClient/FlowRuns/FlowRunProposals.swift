public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Creates an id by which the API recognises a repeated proposal.
    public static func newTransitionID() -> String { UUID().text }

    /// Proposes a state: `POST /flow_runs/{id}/set_state`.
    ///
    /// When the API answers `WAIT`, the call waits as requested and proposes again. An attempt may have been applied
    /// although its answer was lost. The call then checks a refusal of the repeated proposal against the run itself, so
    /// that it does not mistake its own success for another's.
    ///
    /// - Parameter onDoubt: Called when an attempt had no answer from the API itself. The API may still apply the
    ///   attempt after this call has returned or thrown.
    public func propose(
        _ proposal: StateCreate, forFlowRun id: UUID, force: Bool = false,
        transitionID: String = newTransitionID(), effort: RetryPolicy.Effort = .standard,
        onUncertainty: @Sendable () -> Void = {}
    ) async throws -> ProposalOutcome {
        while true {
            let body: JSONValue = [
                "state": proposal.proposal(flowRunID: id, transitionID: transitionID), "force": .bool(force),
            ]
            let answer: APIAnswer
            do {
                answer = try await send(
                    APIRequest(.post, ["flow_runs", .uuid(id), "set_state"], body: body), effort: effort)
            } catch let error as APIError {
                if error.mayHaveBeenApplied { onUncertainty() }
                throw error
            }
            if answer.mayBeFollowedByItself { onUncertainty() }
            let result: OrchestrationResult = try answer.value()
            switch (result.status, result.details) {
            case (.accept, _): return .accepted(state: result.state)
            case (.wait, let details):
                let seconds = details.jsonValue["delay_seconds"]?.doubleValue ?? 1
                try await pause(.pause(seconds: seconds, in: 0.1...3600))
            case (.reject, let details), (.abort, let details):
                if result.state?.transitionID == transitionID { return .accepted(state: result.state) }
                if answer.wasRepeated, let current = try await readFlowRun(id: id, effort: effort).state,
                    current.transitionID == transitionID
                {
                    return .accepted(state: current)
                }
                let reason = details.jsonValue["reason"]?.stringValue?.explanation ?? "no reason given"
                return result.status == .abort
                    ? .aborted(reason: reason) : .rejected(state: result.state, reason: reason)
            default:
                throw APIError(
                    .unreadable, operation: answer.operation, detail: "the answer has no outcome of the proposal",
                    mayHaveBeenApplied: true)
            }
        }
    }

    /// Reads which of these runs are in a state of one of several types: `POST /flow_runs/filter`. Deleted runs, and
    /// runs that are too large to be read, are omitted.
    public func readFlowRuns(
        among ids: [UUID], inStates types: [StateType], effort: RetryPolicy.Effort = .standard
    ) async throws -> [FlowRun] {
        var found: [FlowRun] = []
        // The route returns at most 200 rows. An answer with runs of long parameters is readable only with fewer rows.
        var parts = stride(from: 0, to: ids.count, by: 200).reversed().map { ids[$0..<min($0 + 200, ids.count)] }
        while let part = parts.popLast() {
            let filter = FlowRunFilter(id: .any(Array(part)), state: FlowRunFilterState(type: .any(types)))
            do {
                found += try await readFlowRuns(flowRuns: filter, effort: effort)
            } catch let error as APIError where error.isTooLarge && part.count > 1 {
                let middle = part.startIndex + part.count / 2
                parts += [part[middle...], part[..<middle]]
            } catch let error as APIError where error.isTooLarge {
                continue
            }
        }
        return found
    }

    /// Writes an input of a flow run under a key that nobody has used: `POST /flow_runs/{id}/input`. The API accepts
    /// each key only once. Returns whether the input has this value, even when an earlier attempt or an earlier
    /// process wrote it.
    package func writeUniqueInput(
        flowRunID: UUID, key: String, value: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> Bool {
        try await uniqueInput(flowRunID: flowRunID, key: key, orElse: value, effort: effort) == value
    }

    /// Returns the text that a flow run's input has: `POST /flow_runs/{id}/input`. If there is no such input, writes it
    /// with a value. The result is `nil` for an input that is no text.
    package func uniqueInput(
        flowRunID: UUID, key: String, orElse value: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> String? {
        // The value is JSON: the API returns the input as written, and the client accepts only a readable body as the
        // API's answer.
        let text = JSONValue.string(value).serialized()
        do {
            try await createFlowRunInput(flowRunID: flowRunID, key: key, value: text, effort: effort)
            return value
        } catch let error as APIError where error.isConflict {
            let found = try await readFlowRunInput(flowRunID: flowRunID, key: key, effort: effort)
            return (try? JSONValue(parsing: Array(found.utf8)))?.stringValue
        }
    }
}
